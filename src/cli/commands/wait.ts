import { isKorriganError, KorriganError } from '../../linux/errors.ts';
import type { Ended, NodeClient, WaitLine } from '../../node/api/index.ts';
import { parseDuration } from '../durations.ts';
import { reportFailure } from '../failure.ts';
import { nodeClient } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { parsePid } from '../pids.ts';
import { SIGNAL_NAMES } from '../signals.ts';
import { exitStatusOf } from './run.ts';

export interface WaitCommandOptions extends CommonOptions {
  readonly any?: boolean;
  readonly timeout?: string;
  readonly verbose?: boolean;
}

/** As a shell for a pid that it does not know. */
const NO_SUCH_PROCESS = 127;
/** As timeout(1). */
const TIMED_OUT = 124;
const LOST = 255;
const PASSING = ['KRG_STREAM_BROKEN', 'KRG_NODE_DEAD'] as const;

/** Waits until processes have ended; the exit status is that of the one that was named last, 0 when it is not known. */
export async function wait(words: readonly string[], options: WaitCommandOptions): Promise<number> {
  const pids = [...new Set(words.map(parsePid))];
  const milliseconds = options.timeout === undefined ? undefined : parseDuration(options.timeout);
  const json = options.json === true;
  const statuses = new Map<number, number>();
  const late = milliseconds === undefined ? undefined : AbortSignal.timeout(milliseconds);
  try {
    for await (const line of endings(nodeClient(options), pids, late)) {
      if (json) process.stdout.write(`${JSON.stringify('failure' in line ? { pid: line.pid, error: line.failure } : line)}\n`);
      if ('failure' in line) reportFailure(KorriganError.fromJSON(line.failure), json);
      else if (!json) tell(line, options.verbose === true);
      statuses.set(line.pid, 'failure' in line ? NO_SUCH_PROCESS : line.status === null ? 0 : exitStatusOf(line.status));
      if (options.any === true) return statuses.get(line.pid) ?? 0;
    }
    return statuses.get(pids.at(-1) ?? 0) ?? 0;
  } catch (error) {
    if (late?.aborted === true) return TIMED_OUT;
    reportFailure(error, json);
    return LOST;
  }
}

/** What the daemons say, until all have ended. When one dies over it another one is asked for the rest. */
async function* endings(client: NodeClient, pids: readonly number[], signal: AbortSignal | undefined): AsyncGenerator<WaitLine> {
  const left = new Set(pids);
  for (let isFirst = true; left.size > 0; isFirst = false) {
    try {
      for await (const line of client.wait([...left], signal)) {
        left.delete(line.pid);
        const hasEnded = !isFirst && 'failure' in line && line.failure.code === 'KRG_NO_SUCH_PROCESS';
        yield hasEnded ? { pid: line.pid, node: '?', status: null, isLost: false } : line;
      }
    } catch (error) {
      if (signal?.aborted === true || !PASSING.some((code) => isKorriganError(error, code))) throw error;
    }
  }
}

function tell(ended: Ended, verbose: boolean): void {
  if (verbose) process.stdout.write(`${describeEnd(ended)}\n`);
  else if (ended.status === null) process.stderr.write(`krg: ${describeEnd(ended)}\n`);
}

/** Such as `65601 ended on node2 with status 3`. */
export function describeEnd({ pid, node, status, isLost }: Ended): string {
  if (isLost) return `${pid} was lost with ${node}`;
  if (status === null) return `${pid} has ended; nobody can tell its exit status here (it may be another user's)`;
  if (status.kind === 'exited') return `${pid} ended on ${node} with status ${status.code}`;
  const name = SIGNAL_NAMES.get(status.signal);
  const signal = name === undefined ? `signal ${status.signal}` : `SIG${name}`;
  return `${pid} was ended on ${node} by ${signal}${status.coreDumped ? ' (core dumped)' : ''}`;
}
