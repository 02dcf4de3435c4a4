/**
 * Reading ahead. Who lists /proc and then reads the same files of one process after the other (ps, top, pgrep) is given those of the next processes of the same node with
 * one question. What was read ahead is as old as a question to the other node may be, contents are shown once, and only to the thread that would have asked. Pure.
 */
import type { NodeId } from '../rpc/index.ts';
import { READ_AHEAD_ENTRIES } from './entries.ts';
import { type Look, type Operation, operationsOf, PROCESSES_AHEAD, type Result } from './messages.ts';
import type { ServerAnswers } from './server-protocol.ts';

/** How long what was read ahead is shown, ms. */
export const FRESH_MILLISECONDS = 250;
/** Of threads that have listed /proc lately. */
const SCANS = 64;

interface Known {
  readonly result: Result;
  readonly at: number;
}

interface Scan {
  /** Of the processes of other nodes: node, and the place in its list. */
  readonly places: ReadonlyMap<number, readonly [node: NodeId, position: number]>;
  readonly lists: ReadonlyMap<NodeId, readonly number[]>;
  /** What this thread has read of any process. */
  readonly wanted: Map<string, Pick<Operation, 'kind' | 'entry'>>;
  readonly known: Map<string, Known>;
}

export class Scans {
  private readonly scans = new Map<number, Scan>();
  /** Where processes were when they were last heard of. */
  private readonly hints = new Map<number, NodeId>();

  /** A thread was shown these processes of other nodes. */
  listed(thread: number, list: ServerAnswers['list'], now: number): void {
    for (const { known } of this.scans.values()) forgetStale(known, now);
    const places = new Map(list.flatMap(({ node, pids }) => pids.map((pid, position) => [pid, [node, position]] as const)));
    const lists = new Map(list.map(({ node, pids }) => [node, pids]));
    const wanted = this.scans.get(thread)?.wanted ?? new Map<string, Pick<Operation, 'kind' | 'entry'>>();
    this.scans.delete(thread);
    this.scans.set(thread, { places, lists, wanted, known: new Map() });
    const [oldest] = this.scans.keys();
    if (this.scans.size > SCANS && oldest !== undefined) this.scans.delete(oldest);
    this.hints.clear();
    for (const [pid, [node]] of places) this.hints.set(pid, node);
  }

  hint(pid: number): NodeId | undefined {
    return this.hints.get(pid);
  }

  foundOn(pid: number, node: NodeId): void {
    this.hints.set(pid, node);
  }

  /** What was read ahead for a thread and is still fresh, and for how long, ms. */
  take(thread: number, operation: Operation, now: number): { readonly result: Result; readonly freshFor: number } | undefined {
    const scan = this.scans.get(thread);
    const key = keyOf(operation);
    const known = scan?.known.get(key);
    if (scan === undefined || known === undefined) return undefined;
    const freshFor = known.at + FRESH_MILLISECONDS - now;
    if (operation.kind !== 'attributes' || freshFor < 0) scan.known.delete(key);
    return freshFor < 0 ? undefined : { result: known.result, freshFor };
  }

  /** What to ask when a thread wants something: that first, and what it will want next. */
  plan(thread: number, operation: Operation): Look {
    const scan = this.scans.get(thread);
    const [node, position] = scan?.places.get(operation.pid) ?? [];
    if (scan === undefined || node === undefined || position === undefined || !isReadAhead(operation))
      return { operation, pids: [], wanted: [] };
    const { kind, entry } = operation;
    scan.wanted.set(`${kind} ${entry}`, { kind, entry });
    const pids = scan.lists.get(node)?.slice(position, position + PROCESSES_AHEAD) ?? [];
    return { operation, pids: [...pids], wanted: [...scan.wanted.values()] };
  }

  /** What came of a plan. */
  learned(thread: number, look: Look, results: readonly Result[], now: number): void {
    const scan = this.scans.get(thread);
    if (scan === undefined) return;
    forgetStale(scan.known, now);
    // Contents are shown once, and that is now.
    const shown = look.operation.kind === 'attributes' ? undefined : keyOf(look.operation);
    for (const [n, operation] of operationsOf(look).entries()) {
      const [result, key] = [results[n], keyOf(operation)];
      if (key !== shown && result !== undefined && !('isElsewhere' in result)) {
        scan.known.delete(key);
        scan.known.set(key, { result, at: now });
      }
    }
  }
}

/** The oldest come first. */
function forgetStale(known: Map<string, Known>, now: number): void {
  for (const [key, { at }] of known) {
    if (at + FRESH_MILLISECONDS >= now) return;
    known.delete(key);
  }
}

function isReadAhead({ thread, entry, offset = 0 }: Operation): boolean {
  return thread === 0 && offset === 0 && READ_AHEAD_ENTRIES.has(entry);
}

const keyOf = ({ kind, pid, thread, entry, offset = 0 }: Operation): string => `${kind} ${pid}/${thread}/${entry} ${offset}`;
