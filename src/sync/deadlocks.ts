/**
 * Who waits for whom, in a circle. Pure. Tables that were read one after the other are no picture of one moment: a circle is real when it is found in two pictures, the
 * second begun after the first was complete, because a wait that has ended does not come back under the same name.
 */
import type { LockHolder, LockState, LockWaiter } from './lock.ts';
import { nameOf, type Owner } from './owners.ts';
import type { Table } from './table.ts';

/** One link of the circle: who waits for what, and who keeps it. */
export interface Wait {
  readonly key: string;
  readonly waiter: Owner;
  /** Has it, or stands before. */
  readonly blocker: Owner;
  readonly blockerHas: boolean;
}

export interface Deadlock {
  /** Names the circle: the same claims, the same name. */
  readonly name: string;
  readonly waits: readonly Wait[];
}

interface Edge {
  readonly to: string;
  /** None: `to` is a descendant, for whose end is waited. */
  readonly wait: (Wait & { readonly name: string }) | undefined;
}

export function findDeadlocks(tables: Iterable<Table>): Deadlock[] {
  const edges = new Map<string, Edge[]>();
  const sessions = new Set<string>();
  for (const { objects } of tables) {
    for (const [key, object] of objects) {
      if (object.kind !== 'lock') continue;
      for (const { owner } of [...object.holders, ...object.queue]) sessions.add(owner.session);
      for (const wait of waitsOf(key, object)) edges.set(wait.waiter.session, [...(edges.get(wait.waiter.session) ?? []), edgeOf(wait)]);
    }
  }
  const waiting = [...edges.keys()];
  for (const session of sessions) {
    const descendants = waiting.filter((each) => each.startsWith(`${session}/`));
    if (descendants.length === 0) continue;
    edges.set(session, [...(edges.get(session) ?? []), ...descendants.map((to): Edge => ({ to, wait: undefined }))]);
  }
  const found = new Map<string, Deadlock>();
  for (const session of edges.keys()) {
    const circle = shortestCircle(session, edges);
    const waits = circle?.flatMap(({ wait }) => wait ?? []) ?? [];
    if (waits.length === 0) continue;
    const name = waits
      .map((wait) => wait.name)
      .toSorted()
      .join(' ');
    if (!found.has(name))
      found.set(name, { name, waits: waits.map(({ key, waiter, blocker, blockerHas }) => ({ key, waiter, blocker, blockerHas })) });
  }
  return [...found.values()];
}

/** Those of the first picture that are in the second, too. */
export function confirmed(first: readonly Deadlock[], second: readonly Deadlock[]): Deadlock[] {
  const names = new Set(first.map(({ name }) => name));
  return second.filter(({ name }) => names.has(name));
}

function edgeOf(wait: Wait & { readonly name: string }): Edge {
  return { to: wait.blocker.session, wait };
}

function waitsOf(key: string, { holders, queue }: LockState): (Wait & { readonly name: string })[] {
  const excludes = (one: { readonly mode: string }, other: { readonly mode: string }): boolean =>
    one.mode === 'exclusive' || other.mode === 'exclusive';
  return queue.flatMap((waiter, place) => {
    const toWait = (blocker: LockHolder | LockWaiter, blockerHas: boolean): Wait & { readonly name: string } => ({
      key,
      waiter: waiter.owner,
      blocker: blocker.owner,
      blockerHas,
      name: JSON.stringify([nameOf(waiter), nameOf(blocker)]),
    });
    const ahead = queue.slice(0, place).filter((each) => excludes(each, waiter));
    const having = holders.filter((each) => excludes(each, waiter));
    return [...having.map((each) => toWait(each, true)), ...ahead.map((each) => toWait(each, false))];
  });
}

function shortestCircle(start: string, edges: ReadonlyMap<string, readonly Edge[]>): readonly Edge[] | undefined {
  let paths: { readonly at: string; readonly path: readonly Edge[] }[] = [{ at: start, path: [] }];
  const seen = new Set<string>();
  while (paths.length > 0) {
    const next: typeof paths = [];
    for (const { at, path } of paths) {
      for (const edge of edges.get(at) ?? []) {
        if (edge.to === start) return [...path, edge];
        if (seen.has(edge.to)) continue;
        seen.add(edge.to);
        next.push({ at: edge.to, path: [...path, edge] });
      }
    }
    paths = next;
  }
  return undefined;
}
