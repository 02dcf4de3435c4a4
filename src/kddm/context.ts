/** What the parts of the protocol have in common: the node they run on, and the few changes of an entry that all of them make. */
import type { NodeId } from '../rpc/index.ts';
import { createEntry, type Entry, pointTo } from './entry.ts';
import { NEVER, type ObjectId, type Serial } from './identity.ts';
import type { Message, ObjectMessage } from './messages.ts';
import type { Mutation } from './mutations.ts';
import type { ObjectOperation, Result } from './operations.ts';
import type { Doubt, KddmSet } from './sets.ts';
import { isReadable, type State } from './states.ts';
import { count, type Statistics } from './statistics.ts';

/** The node, as the parts of the protocol see it. */
export interface Context {
  readonly self: NodeId;
  readonly epoch: number;
  readonly now: number;
  readonly members: readonly NodeId[];
  readonly doubts: readonly Doubt[];
  readonly statistics: Statistics;
  readonly send: (to: NodeId, message: Message) => void;
  readonly complete: (operation: { readonly id: number }, result: Result) => void;
  /** The entry has changed: its waiters, then what is deferred, are looked at before the step ends. */
  readonly touch: (set: KddmSet, entry: Entry) => void;
  /** As if the message had come, or the operation been started, just now. */
  readonly redeliver: (from: NodeId, message: Message) => void;
  readonly restart: (operation: ObjectOperation) => void;
  /** As if a user of this node had started it. */
  readonly perform: (
    set: KddmSet,
    operation: { readonly kind: 'flush'; readonly object: ObjectId; readonly destination?: NodeId },
    then: (result: Result) => void,
  ) => void;
  /** The content has changed here, is new or gone: who watches it is told. */
  readonly changed: (set: KddmSet, object: ObjectId) => void;
  home(set: KddmSet, object: ObjectId): NodeId;
  nextSerial(): Serial;
  /** Asks the shell for a content that the linker could not make at once. */
  requestFill(set: KddmSet, entry: Entry): void;
  requestSync(set: KddmSet, object: ObjectId, from: NodeId, operation: number): void;
  /** `handedOver` of this entry is dropped when what was just sent to `to` is delivered. */
  expectDelivery(to: NodeId, entry: Entry): void;
  readonly has: (mutation: Mutation) => boolean;
}

/** The address of an entry, as it stands in messages. */
export function addressOf(set: KddmSet, entry: { readonly object: ObjectId }): { namespace: number; set: number; object: ObjectId } {
  return { namespace: set.record.namespace, set: set.record.set, object: entry.object };
}

export function become(context: Context, set: KddmSet, entry: Entry, state: State): void {
  if (entry.state === state) return;
  entry.state = state;
  count(context.statistics.states, state);
  set.linker.changeState?.(entry.object, state);
}

/** The entry of an object, made when there is none: at its home as the owner of an object that does not exist. */
export function entryOf(context: Context, set: KddmSet, object: ObjectId, isDoubtful: boolean): Entry {
  const known = set.entries.get(object);
  if (known !== undefined) return known;
  const home = context.home(set, object);
  const entry = createEntry(object, home === context.self ? 'INV_OWNER' : 'INV_COPY', home);
  if (home === context.self) {
    entry.term = set.termFloor + 1;
    entry.hintTerm = entry.term;
    entry.isLost = isDoubtful && !context.has('unknown-not-lost');
  }
  set.entries.set(object, entry);
  count(context.statistics.states, entry.state);
  return entry;
}

/** Is the object given to nobody else just now, because it is used here or its backups are being made? Readers do not mind readers. */
export function isHeld(context: Context, entry: Entry, against: 'read' | 'write'): boolean {
  if (context.has('frozen-not-honoured')) return false;
  if (entry.pendingBackups.length > 0) return true;
  return against === 'write' ? entry.frozen > 0 : entry.grabbed > 0;
}

/** The content here is not valid any more. */
export function dropContent(set: KddmSet, entry: Entry): void {
  if (entry.content !== undefined && isReadable(entry.state)) set.linker.invalidateObject?.(entry.object, entry.content);
  entry.content = undefined;
  entry.copySerial = 0;
}

export function defer(entry: Entry, from: NodeId, message: ObjectMessage): void {
  entry.deferred.push({ from, message });
}

/** This node is not the owner any more: `to` is, or will be. What was here is kept until it is delivered. */
export function handOver(context: Context, set: KddmSet, entry: Entry, to: NodeId, kind: 'content' | 'first-touch' | 'removed'): void {
  const content = kind === 'content' ? entry.content : undefined;
  if (kind === 'content') context.statistics.moved.count(set.record.namespace, set.record.set, entry.object);
  keepBackup(set, entry);
  entry.handedOver = context.has('handed-over-not-kept')
    ? undefined
    : { to, term: entry.term, kind, content, version: entry.version, isDelivered: false, isTargetDead: false };
  dropContent(set, entry);
  become(context, set, entry, 'INV_COPY');
  entry.copyset.clear();
  entry.rmset.clear();
  pointTo(entry, to, entry.term + 1);
  if (kind !== 'removed') context.expectDelivery(to, entry);
  context.touch(set, entry);
}

/** Where there are replicas, who gives the object away keeps one: the next owner may be a holder of the backups that there are. */
export function keepBackup(set: KddmSet, entry: Entry): void {
  if (set.record.replicas === 0 || entry.content === undefined) return;
  entry.backup = {
    isLost: false,
    term: entry.term,
    version: entry.version,
    born: entry.born,
    bytes: set.linker.exportObject(entry.content, entry.object),
  };
}

/** Nothing is known of the object here any more. Who waits begins anew. */
export function forget(context: Context, set: KddmSet, entry: Entry): void {
  set.entries.delete(entry.object);
  set.termFloor = Math.max(set.termFloor, entry.term, entry.hintTerm);
  for (const { from, message } of entry.deferred.splice(0)) context.redeliver(from, message);
  for (const operation of entry.waiters.splice(0)) context.restart(operation);
}

/** The object does not exist, and its home says so: by an entry where that must be remembered, else by none. */
export function becomeAbsent(context: Context, set: KddmSet, entry: Entry, isRemembered: boolean): void {
  dropContent(set, entry);
  entry.removal = undefined;
  entry.handedOver = undefined;
  entry.isLost = false;
  entry.born = NEVER;
  if (!isRemembered) {
    forget(context, set, entry);
    return;
  }
  set.termFloor = Math.max(set.termFloor, entry.term, entry.hintTerm);
  entry.term = set.termFloor + 1;
  entry.hintTerm = entry.term;
  entry.probOwner = context.self;
  entry.copyset.clear();
  entry.rmset.clear();
  become(context, set, entry, 'INV_OWNER');
  context.touch(set, entry);
}

/** This node has written the object or become its owner: its time to live begins anew. */
export function noteUse({ now }: Context, set: KddmSet, object: ObjectId): void {
  if (set.record.timeToLive === undefined) return;
  // The order of a Map is that of insertion, so that the longest ago stays first.
  set.lastUse.delete(object);
  set.lastUse.set(object, now);
}

/** The copies of a copyset without one node, as they travel. */
export function copiesWithout(copyset: ReadonlyMap<NodeId, Serial>, node: NodeId): [NodeId, Serial][] {
  return [...copyset].filter(([holder]) => holder !== node);
}
