/** Does what the user has ordered, and says what became of it. */
import { KorriganError, toKorriganError } from '../../linux/errors.ts';
import type { Explanation, NodeClient } from '../../node/api/index.ts';
import { describeResult } from '../commands/migrate.ts';
import type { Effect, Message, Mode } from './state.ts';

export type Order = Extract<Effect, { kind: 'signal' | 'move' | 'renice' | 'explain' }>;

export interface Outcome {
  readonly message?: Message;
  /** Something to read. */
  readonly mode?: Mode;
}

export async function carryOut(client: NodeClient, order: Order): Promise<Outcome> {
  try {
    switch (order.kind) {
      case 'signal':
        return told(await each(order.pids, (pid) => client.kill(pid, order.signal)), (pids) => `${order.name} was sent to ${pids}`);
      case 'renice': {
        let after = 0;
        const failures = await each(order.pids, async (pid) => {
          after = (await client.renice({ pid, ...order.change })).after;
        });
        return told(failures, (pids) => `the nice value of ${pids} is ${after} now`);
      }
      case 'move':
        return await move(client, order);
      case 'explain':
        return {
          mode: { kind: 'page', title: 'What a move would do', lines: explanationLines(await client.explain(order.pid)), scroll: 0 },
        };
    }
  } catch (error) {
    return { message: { kind: 'error', text: textOf(error) } };
  }
}

interface Done {
  readonly pids: readonly number[];
  readonly failure: unknown;
}

async function each(pids: readonly number[], act: (pid: number) => Promise<void>): Promise<Done> {
  const done: number[] = [];
  let failure: unknown;
  for (const pid of pids) {
    try {
      await act(pid);
      done.push(pid);
    } catch (error) {
      failure ??= error;
    }
  }
  return { pids: done, failure };
}

function told({ pids, failure }: Done, text: (pids: string) => string): Outcome {
  if (failure !== undefined) return { message: { kind: 'error', text: textOf(failure) } };
  return { message: { kind: 'info', text: text(pids.length === 1 ? String(pids[0]) : `${pids.length} processes`) } };
}

async function move(client: NodeClient, { pids, node, tree }: Extract<Order, { kind: 'move' }>): Promise<Outcome> {
  const results = await client.migrate({ pids, node, tree });
  for (const result of results)
    if (result.outcome === 'failed') return { message: { kind: 'error', text: textOf(KorriganError.fromJSON(result.error)) } };
  const [first] = results;
  if (first === undefined || first.outcome === 'failed') return {};
  const text = results.length === 1 ? describeResult(first) : `${results.length} processes are on ${node} now`;
  return { message: { kind: 'info', text } };
}

function explanationLines({ pid, command, node, movable, resources }: Explanation): string[] {
  const verdict = movable ? 'it would move' : 'it would not move';
  const widest = Math.max(0, ...resources.map(({ resource }) => resource.length));
  return [
    `${pid} ${command} on ${node}: ${verdict}`,
    '',
    ...resources.map(({ resource, verdict: what, reason }) => `  ${resource.padEnd(widest)}  ${what}${reason === '' ? '' : `: ${reason}`}`),
  ];
}

function textOf(error: unknown): string {
  const { message, code } = toKorriganError(error);
  return `${message} (${code})`;
}
