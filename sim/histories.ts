/** The histories of all objects of a run: takes what clients start and see, and what nodes do, to the right one. */
import type { NodeId, Result } from '../src/kddm/index.ts';
import { ObjectHistory, type Value } from './check-history.ts';
import type { OperationOf } from './client.ts';
import { Deaths, keptBy, type Living } from './deaths.ts';

type Operation = OperationOf & { readonly id: number };

export class Histories {
  readonly #fail: (description: string) => void;
  readonly #objects = new Map<string, ObjectHistory>();
  /** Values that are about to be put, with their objects. */
  readonly #expected = new Map<number, ObjectHistory>();

  /** By hand, and still held, by node and object. */
  readonly #filled = new Map<string, number>();
  #hasDied = false;
  readonly #deaths = new Deaths();
  #latest = 0;
  /** In this step of a node. */
  readonly #written = new Set<ObjectHistory>();

  readonly #isExpiring: (set: number) => boolean;

  /** @param isExpiring whether the set's objects have a time to live */
  constructor(fail: (description: string) => void, isExpiring: (set: number) => boolean) {
    this.#fail = fail;
    this.#isExpiring = isExpiring;
  }

  #of(set: number, object: number): ObjectHistory {
    const key = `${set}/${object}`;
    const known = this.#objects.get(key);
    if (known !== undefined) return known;
    const history = new ObjectHistory(set, object, this.#isExpiring(set));
    // What nobody asked for before a death may have died with its home, for all that the cluster knows.
    history.mayBeLost = this.#hasDied;
    history.isDoubtful = this.#hasDied;
    this.#objects.set(key, history);
    return history;
  }

  started(node: NodeId, operation: Operation): void {
    this.#latest = operation.id;
    const history = this.#of(operation.set, operation.object);
    if (operation.kind === 'remove' || operation.kind === 'remove-frozen') history.removalStarts(operation.id);
    if (operation.kind === 'put' && typeof operation.content === 'number') this.#expected.set(operation.content, history);
    if (operation.kind === 'set-object' && typeof operation.content === 'number') {
      history.write(node, operation.content, this.#latest);
    }
  }

  /** A value was put on a node. Values are unique: what was seen here before is no write. */
  applied(node: NodeId, value: number): { readonly set: number; readonly object: number } | undefined {
    const history = this.#expected.get(value);
    if (history === undefined) return undefined;
    history.write(node, value, this.#latest);
    this.#written.add(history);
    this.#expected.delete(value);
    return history;
  }

  stepEnds(): void {
    for (const history of this.#written) history.stepEnds();
    this.#written.clear();
  }

  completed(node: NodeId, operation: Operation, result: Result): void {
    const history = this.#of(operation.set, operation.object);
    const { kind } = operation;
    if (kind === 'put' && typeof operation.content === 'number') history.writeComplete(operation.content);
    // What was filled by hand is complete with the put that ends that hold.
    if (kind === 'set-object' && typeof operation.content === 'number')
      this.#filled.set(`${node}:${operation.set}/${operation.object}`, operation.content);
    if (kind === 'put' && operation.hold === 'grab') {
      const filled = `${node}:${operation.set}/${operation.object}`;
      history.writeComplete(this.#filled.get(filled) ?? 0);
      this.#filled.delete(filled);
    }
    if (kind === 'remove' || kind === 'remove-frozen') {
      if (result.kind === 'done') history.removalEnds(operation.id, true, this.#latest);
      // Of a removal that failed because of another one, nobody knows whether it had begun before the membership changed.
      else if (result.kind === 'failed') history.removalEnds(operation.id, false, this.#latest);
    }
    if (kind !== 'get' && kind !== 'grab' && kind !== 'find') return;
    // The set is not there.
    if (result.kind === 'failed' && result.code === 'no-entry') return;
    const value = observed(result, (kind === 'get' || kind === 'grab') && operation.async === true);
    const violation = value === undefined ? undefined : history.observe(value, operation.id, this.#latest);
    if (violation !== undefined)
      this.#fail(`node ${node}, ${kind} of ${operation.set}/${operation.object} (#${operation.id}): ${violation}`);
  }

  /** @param deaths nodes that are down and of which the replicas have not recovered, with this one */
  died(dead: NodeId, living: readonly Living[], deaths: number): void {
    this.#hasDied = true;
    const records = new Map(living.flatMap(({ node }) => (node?.sets() ?? []).map(({ record }) => [record.set, record])));
    const kept = keptBy(living);
    const whenKeptNoLonger = new Map<string, () => void>();
    for (const [key, history] of this.#objects) {
      const record = records.get(history.set);
      const isForgetful = record?.unknownAfterCrash === 'absent';
      const isReplicated = record !== undefined && record.replicas >= deaths;
      // What was only touched has no backup; and of what its dead home alone knew, such sets say that there is nothing.
      const mayForget = isForgetful ? 'all' : record !== undefined && record.replicas > 0 ? 'fresh' : 'nothing';
      history.died(dead, kept.has(key), { isReplicated, mayForget });
      if (kept.has(key)) whenKeptNoLonger.set(key, () => history.isKeptNoLonger({ isReplicated, mayForget }));
    }
    this.#deaths.died(dead, living, whenKeptNoLonger);
  }

  /** A node is told of deaths. */
  hears(node: NodeId, dead: readonly NodeId[]): void {
    this.#deaths.hears(node, dead);
  }

  /** A node has made a step, and nothing has come of it yet. */
  stepped(node: NodeId, living: readonly Living[]): void {
    this.#deaths.stepped(node, living);
  }
}

function observed(result: Result, isAsync: boolean): Value | undefined {
  if (isAsync) return undefined;
  if (result.kind === 'absent') return 'absent';
  if (result.kind === 'done') return typeof result.content === 'number' ? result.content : undefined;
  return result.code === 'lost' ? 'lost' : undefined;
}
