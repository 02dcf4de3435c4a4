import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { KorriganError } from '../../linux/errors.ts';
import type { HeldLock, SyncSession } from '../../node/api/index.ts';
import { parseDuration } from '../durations.ts';
import { reportFailure } from '../failure.ts';
import { nodeClient } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { waitOptions, warn } from '../sync-texts.ts';

export interface LockOptions extends CommonOptions {
  readonly shared?: boolean;
  readonly try?: boolean;
  readonly timeout?: string;
  readonly conflictExitCode?: string;
  readonly keepGoing?: boolean;
  readonly user?: string;
}

/** What a command is told: the session, for `krg lock` within it; the token, for fencing; whether the owner before died. */
const VARIABLES = { session: 'KRG_LOCK_SESSION', token: 'KRG_LOCK_TOKEN', ownerDied: 'KRG_LOCK_OWNER_DIED' } as const;
/** When the lock is lost: how long the command may take to end before it is killed. */
const PATIENCE_MILLISECONDS = 10_000;
const LOST = 255;
/** As the shell has it: the program was not found, cannot be executed. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;
/** The terminal sends these to the command itself. */
const FROM_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];
const FORWARDED: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'];
/** Not to be had: KRG_LOCK_BUSY, KRG_DEADLINE. */
const CONFLICTS: ReadonlySet<string> = new Set(['KRG_LOCK_BUSY', 'KRG_DEADLINE']);

/** Holds a lock of the cluster while a command runs; its exit status is the command's. */
export async function lock(name: string, words: readonly string[], options: LockOptions): Promise<number> {
  const [program, ...rest] = words;
  if (program === undefined) throw new KorriganError('KRG_USAGE', 'lock: name the command: krg lock NAME -- COMMAND');
  const conflictStatus = statusOf(options.conflictExitCode);
  const timeoutMs = options.try === true ? 0 : options.timeout === undefined ? undefined : parseDuration(options.timeout);
  const wait = waitOptions(name, timeoutMs, options.user);
  await using session = await nodeClient(options).sync(labelOf(name, words), process.env[VARIABLES.session] ?? '');
  let held: HeldLock;
  try {
    held = await session.lock(name, options.shared === true ? 'shared' : 'exclusive', wait);
  } catch (error) {
    const status = reportFailure(error, options.json === true);
    return error instanceof KorriganError && CONFLICTS.has(error.code) ? conflictStatus : status;
  }
  if (held.ownerDied) {
    warn(`the last owner of ${name} died while it had the lock; the command can tell by ${VARIABLES.ownerDied}=1`);
    await held.repair();
  }
  const status = await runHolding(session, held, program, rest, options);
  if (!session.lost.aborted) await held.release().catch((error: unknown) => reportFailure(error, options.json === true));
  return status;
}

function statusOf(text = '1'): number {
  if (/^\d{1,3}$/.test(text) && Number(text) <= 255) return Number(text);
  throw new KorriganError('KRG_USAGE', `"${text}" is no exit status: a number from 0 to 255`);
}

function labelOf(name: string, words: readonly string[]): string {
  const text = `krg lock ${name} -- ${words.join(' ')}`.replaceAll(/\p{Cc}/gu, '?');
  return text.length <= 120 ? text : `${text.slice(0, 117)}...`;
}

async function runHolding(
  session: SyncSession,
  held: HeldLock,
  program: string,
  rest: readonly string[],
  options: LockOptions,
): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const env = {
    ...process.env,
    [VARIABLES.session]: session.session,
    [VARIABLES.token]: String(held.token),
    ...(held.ownerDied && { [VARIABLES.ownerDied]: '1' }),
  };
  const child = spawn(program, rest, { stdio: 'inherit', env });
  child.once('error', (error: NodeJS.ErrnoException) => {
    const isMissing = error.code === 'ENOENT';
    const [code, why] = isMissing ? ['KRG_COMMAND_NOT_FOUND', 'it is not found'] : ['KRG_COMMAND_NOT_EXECUTABLE', error.message];
    reportFailure(new KorriganError(code, `${program} cannot be started: ${why}`), options.json === true);
    resolve(isMissing ? NOT_FOUND : NOT_EXECUTABLE);
  });
  child.once('close', (code, signal) => resolve(signal === null ? (code ?? LOST) : 128 + constants.signals[signal]));
  const ignore = (): void => undefined;
  const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of FROM_TERMINAL) process.on(signal, ignore);
  for (const signal of FORWARDED) process.on(signal, forward);
  let late: NodeJS.Timeout | undefined;
  const onLost = (): void => {
    reportFailure(session.lost.reason, options.json === true);
    if (options.keepGoing === true) return;
    warn('the command is ended, because somebody else may have the lock now (--keep-going lets it go on)');
    child.kill('SIGTERM');
    late = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MILLISECONDS);
  };
  session.lost.addEventListener('abort', onLost, { once: true });
  if (session.lost.aborted) onLost();
  try {
    const status = await promise;
    return session.lost.aborted && options.keepGoing !== true ? LOST : status;
  } finally {
    clearTimeout(late);
    session.lost.removeEventListener('abort', onLost);
    for (const signal of FROM_TERMINAL) process.off(signal, ignore);
    for (const signal of FORWARDED) process.off(signal, forward);
  }
}
