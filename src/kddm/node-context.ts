/** What the parts of the protocol may ask of the node that they run on. */
import type { NodeId } from '../rpc/index.ts';
import type { Context } from './context.ts';
import type { Delivery } from './delivery.ts';
import type { Entry } from './entry.ts';
import type { KddmEffect } from './events.ts';
import type { Message } from './messages.ts';
import type { Mutation } from './mutations.ts';
import type { ObjectOperation, Result } from './operations.ts';
import { type Doubt, homeOf, type KddmSet } from './sets.ts';
import type { Statistics } from './statistics.ts';
import { startOperation } from './waiters.ts';

/** What the node itself changes in it. */
export type NodeContext = Context & { epoch: number; now: number; members: readonly NodeId[]; doubts: readonly Doubt[] };

export interface Incoming {
  readonly from: NodeId;
  readonly message: Message;
}

/** What one step has to do, and what it has done. */
export interface Work {
  effects: KddmEffect[];
  delivery: Delivery;
  readonly touched: Map<Entry, KddmSet>;
  readonly incoming: Incoming[];
  readonly restarts: ObjectOperation[];
}

export interface ContextParts {
  readonly self: NodeId;
  readonly statistics: Statistics;
  readonly mutations: ReadonlySet<Mutation>;
  readonly work: Work;
  readonly emit: (to: NodeId, message: Message) => void;
  readonly changed: Context['changed'];
}

export function createContext({ self, statistics, mutations, work, emit, changed }: ContextParts): NodeContext {
  let lastSerial = 0;
  let lastOwnOperation = 0;
  /** Operations that the node has begun itself; their ids are negative. */
  const own = new Map<number, (result: Result) => void>();
  const context: NodeContext = {
    self,
    statistics,
    changed,
    epoch: 0,
    now: 0,
    members: [],
    doubts: [],
    send: (to, message) => {
      if (to === self) work.incoming.push({ from: to, message });
      else emit(to, message);
    },
    complete: ({ id }, result) => {
      const then = own.get(id);
      own.delete(id);
      if (then !== undefined) then(result);
      else work.effects.push({ kind: 'complete', operation: id, result });
    },
    perform: (set, operation, then) => {
      const id = --lastOwnOperation;
      own.set(id, then);
      startOperation(context, set, { ...operation, id, namespace: set.record.namespace, set: set.record.set });
    },
    touch: (set, entry) => {
      work.touched.set(entry, set);
    },
    redeliver: (from, message) => {
      work.incoming.push({ from, message });
    },
    restart: (operation) => {
      work.restarts.push(operation);
    },
    home: (set, object) => homeOf(set, object, context.members),
    nextSerial: () => ++lastSerial,
    requestFill: (set, { object }) => {
      work.effects.push({ kind: 'first-touch', namespace: set.record.namespace, set: set.record.set, object });
    },
    requestSync: (set, object, from, operation) => {
      const { namespace, set: id } = set.record;
      work.effects.push({ kind: 'sync', namespace, set: id, object, for: from, operation });
    },
    expectDelivery: (to, { handedOver }) => {
      if (handedOver !== undefined && to !== self) work.delivery.expect(to, handedOver);
    },
    has: (mutation) => mutations.has(mutation),
  };
  return context;
}
