import type { Duplex } from 'node:stream';
import { KorriganError } from '../../linux/errors.ts';
import type { AttachedProcess, ExitStatus, RunRequest } from '../../node/api/index.ts';
import { readCapabilities } from '../capability-words.ts';
import { reportFailure, USAGE } from '../failure.ts';
import { nodeClient } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { printJson } from '../output.ts';
import { enterRawMode, terminalSize } from '../terminal.ts';

export interface RunOptions extends CommonOptions {
  readonly node?: string;
  /** Its nice value. */
  readonly nice?: number;
  readonly detach?: boolean;
  /** `-t`: true, `-T`: false; by default there is a terminal where stdin and stdout are one. */
  readonly tty?: boolean;
  readonly caps?: string;
}

/** When the connection is lost or krg itself fails, as ssh. */
const LOST = 255;
/** Those that keep their meaning: wrong usage; as a shell, a program that cannot be executed or is not found. */
const OWN_STATUSES: readonly number[] = [USAGE, 126, 127];

const FORWARDED: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGCONT'];

/** Runs a program on a node with this terminal's streams; its exit status is the command's. */
export async function run(words: readonly string[], options: RunOptions): Promise<number> {
  const json = options.json === true;
  try {
    if (options.detach === true) {
      const started = await nodeClient(options).runDetached(runRequest(words, options, false));
      if (json) printJson(started);
      else process.stdout.write(`${started.pid}\n`);
      return 0;
    }
    const withTerminal = options.tty ?? (process.stdin.isTTY && process.stdout.isTTY);
    return await runAttached(runRequest(words, options, withTerminal), options);
  } catch (error) {
    return reportRunFailure(error, json);
  }
}

/** Tells the failure and returns the exit status that goes with it. */
export function reportRunFailure(error: unknown, json: boolean): number {
  const status = reportFailure(error, json);
  return OWN_STATUSES.includes(status) ? status : LOST;
}

/**
 * Runs a program with this terminal's streams; its exit status as a shell shows it.
 * @param keysThrough what the user types goes through this first
 */
export async function runAttached(
  request: RunRequest,
  options: CommonOptions,
  keysThrough?: (attached: AttachedProcess) => Duplex,
): Promise<number> {
  const attached = await nodeClient(options).run(request, tellAway);
  await attached.started;
  return exitStatusOf(await joinStreams(attached, request.terminal !== undefined, keysThrough?.(attached)));
}

/** As a shell shows it: signal(7), 128 + n. */
export function exitStatusOf(status: ExitStatus): number {
  return status.kind === 'exited' ? status.code : 128 + status.signal;
}

function runRequest(words: readonly string[], options: RunOptions, withTerminal: boolean): RunRequest {
  if (words.length === 0) throw new KorriganError('KRG_USAGE', 'run: name the program: krg run [--node NODE] [-d] [-t|-T] -- COMMAND');
  const environment = Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined));
  return {
    arguments: [...words],
    environment,
    workingDirectory: process.cwd(),
    umask: process.umask(),
    ...(options.node === undefined ? {} : { node: options.node }),
    ...(options.nice === undefined ? {} : { nice: options.nice }),
    ...(options.caps === undefined ? {} : { capabilities: readCapabilities('--caps', options.caps) }),
    ...(withTerminal ? { terminal: { ...terminalSize(), type: process.env['TERM'] ?? 'dumb' } } : {}),
  };
}

/** Passes bytes, signals and window sizes until the program has ended and all its output is written. */
async function joinStreams(attached: AttachedProcess, withTerminal: boolean, keysThrough?: Duplex): Promise<ExitStatus> {
  const { stdin, stdout, stderr } = process;
  const { signals } = (await import('node:os')).constants;
  const restore = withTerminal && stdin.isTTY ? enterRawMode(stdin) : () => undefined;
  const onResize = (): void => {
    const { columns, rows } = terminalSize();
    attached.resize(columns, rows);
  };
  const forward = (signal: NodeJS.Signals): void => attached.signal(signals[signal]);
  for (const signal of FORWARDED) process.on(signal, forward);
  if (withTerminal) process.on('SIGWINCH', onResize);
  // Who reads the output has gone: the program learns it as if it had written to the pipe itself.
  let failure: NodeJS.ErrnoException | undefined;
  for (const [ours, theirs] of [
    [stdout, attached.stdout],
    [stderr, attached.stderr],
  ] as const) {
    ours.removeAllListeners('error');
    ours.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') failure ??= error;
      theirs.destroy();
    });
  }
  try {
    (keysThrough === undefined ? stdin : stdin.pipe(keysThrough)).pipe(attached.stdin);
    attached.stdout.pipe(stdout, { end: false });
    attached.stderr.pipe(stderr, { end: false });
    const status = await attached.exited;
    await Promise.all([ended(attached.stdout), ended(attached.stderr)]);
    if (failure !== undefined) throw new KorriganError('KRG_STREAM_BROKEN', `the output could not be written: ${failure.message}`);
    return status;
  } finally {
    restore();
    for (const signal of FORWARDED) process.off(signal, forward);
    process.off('SIGWINCH', onResize);
    stdin.unpipe();
    stdin.pause();
  }
}

/** On the user's own terminal only: what a program writes is not mixed with words of ours. */
function tellAway(isAway: boolean): void {
  if (isAway && process.stderr.isTTY) process.stderr.write('krg: the node of the program does not answer; waiting for it to come back\r\n');
}

function ended(stream: AttachedProcess['stdout']): Promise<void> {
  if (stream.readableEnded || stream.destroyed) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.once('end', resolve);
  stream.once('close', resolve);
  return promise;
}
