/** Copies that leave a node: a copy is dropped, the ownership of one goes to the holder of another, the last one is injected into another node. */
import type { NodeId } from '../rpc/index.ts';
import { addressOf, become, type Context, copiesWithout, defer, dropContent, handOver, isHeld } from './context.ts';
import { type Entry, pointTo } from './entry.ts';
import { isOnItsWay, mergeEarlyAcks } from './invalidation.ts';
import type { MessageOf } from './messages.ts';
import { DONE, failed, type ObjectOperation, type Result } from './operations.ts';
import type { KddmSet } from './sets.ts';

/** @returns the result, or `undefined` while the operation waits */
export function attemptFlush(
  context: Context,
  set: KddmSet,
  entry: Entry,
  operation: ObjectOperation & { readonly kind: 'flush' },
): Result | undefined {
  switch (entry.state) {
    case 'INV_COPY':
    case 'INV_OWNER':
    case 'WAIT_OBJ_READ':
    case 'WAIT_OBJ_RM_DONE':
    case 'WAIT_OBJ_RM_ACK':
    case 'WAIT_OBJ_RM_ACK2':
      return failed('no-entry');
    case 'WAIT_OBJ_WRITE':
    case 'WAIT_ACK_INV':
    case 'WAIT_ACK_WRITE':
    case 'INV_FILLING':
      return failed('busy');
    case 'WAIT_CHG_OWN_ACK':
      return undefined;
    case 'READ_COPY':
    case 'READ_OWNER':
    case 'WRITE_OWNER':
    case 'WRITE_GHOST':
      if (isHeld(context, entry, 'write')) return failed('busy');
      if (entry.state === 'READ_COPY') return dropCopy(context, set, entry);
      if (entry.copyset.size > 0) return offerOwnership(context, set, entry);
      return inject(context, set, entry, operation.destination);
  }
}

function dropCopy(context: Context, set: KddmSet, entry: Entry): Result {
  const copy = entry.copySerial;
  set.linker.flushObject?.(entry.object, entry.content);
  dropContent(set, entry);
  become(context, set, entry, 'INV_COPY');
  context.send(entry.probOwner, { kind: 'INVALIDATION_ACK', ...addressOf(set, entry), holder: context.self, copy });
  return DONE;
}

function offerOwnership(context: Context, set: KddmSet, entry: Entry): undefined {
  const [candidate] = entry.copyset;
  if (candidate === undefined) return undefined;
  const [node, copy] = candidate;
  entry.copySerial = context.nextSerial();
  entry.offeredTo = node;
  // The giver is a holder of a copy from the new owner's view, until it has dropped its own.
  const own: [NodeId, number][] = context.has('ownership-ack-not-awaited') ? [] : [[context.self, entry.copySerial]];
  become(context, set, entry, 'WAIT_CHG_OWN_ACK');
  context.send(node, {
    kind: 'SEND_OWNERSHIP',
    ...addressOf(set, entry),
    copy,
    term: entry.term + 1,
    version: entry.version,
    copyset: [...copiesWithout(entry.copyset, node), ...own],
    rmset: [...entry.rmset, context.self].filter((other) => other !== node),
  });
  return undefined;
}

function inject(context: Context, set: KddmSet, entry: Entry, destination: NodeId | undefined): Result {
  if (destination === undefined || destination === context.self || !context.members.includes(destination)) return failed('no-space');
  const { version } = entry;
  const content = set.linker.exportObject(entry.content, entry.object);
  const rmset = [...entry.rmset, context.self].filter((node) => node !== destination);
  set.linker.flushObject?.(entry.object, entry.content);
  context.send(destination, {
    kind: 'OBJECT_SEND',
    ...addressOf(set, entry),
    serial: 0,
    term: entry.term + 1,
    version,
    content,
    ownership: { copyset: [], rmset, isInjected: true },
  });
  handOver(context, set, entry, destination, 'content');
  return DONE;
}

/** The ownership is offered to this node, which had a copy. */
export function onSendOwnership(
  context: Context,
  set: KddmSet,
  entry: Entry | undefined,
  from: NodeId,
  message: MessageOf<'SEND_OWNERSHIP'>,
): void {
  const { copy, term, version, copyset, rmset } = message;
  if (entry !== undefined && isOnItsWay(context, entry, copy)) return defer(entry, from, message);
  const isAccepted = entry !== undefined && entry.content !== undefined && entry.copySerial === copy;
  if (isAccepted) {
    entry.term = term;
    pointTo(entry, context.self, term);
    entry.version = version;
    entry.copySerial = 0;
    entry.copyset = new Map(copyset);
    entry.rmset = new Set(rmset);
    // What was asked for here is asked for again by who waits; what was asked comes back and is ignored.
    entry.request = undefined;
    entry.removal = undefined;
    mergeEarlyAcks(context, entry);
    become(context, set, entry, 'READ_OWNER');
    context.touch(set, entry);
  }
  context.send(from, { kind: 'CHANGE_OWNERSHIP_ACK', ...addressOf(set, message), isAccepted, term });
}

export function onChangeOwnershipAck(
  context: Context,
  set: KddmSet,
  entry: Entry | undefined,
  from: NodeId,
  message: MessageOf<'CHANGE_OWNERSHIP_ACK'>,
): void {
  if (entry?.state !== 'WAIT_CHG_OWN_ACK') return;
  if (!message.isAccepted) {
    entry.copyset.delete(from);
    entry.offeredTo = undefined;
    entry.copySerial = 0;
    become(context, set, entry, 'READ_OWNER');
    return context.touch(set, entry);
  }
  if (isHeld(context, entry, 'write')) return defer(entry, from, message);
  const copy = entry.copySerial;
  entry.offeredTo = undefined;
  set.linker.flushObject?.(entry.object, entry.content);
  dropContent(set, entry);
  entry.copyset.clear();
  entry.rmset.clear();
  become(context, set, entry, 'INV_COPY');
  pointTo(entry, from, message.term);
  context.send(from, { kind: 'INVALIDATION_ACK', ...addressOf(set, entry), holder: context.self, copy });
  const index = entry.waiters.findIndex(({ kind }) => kind === 'flush');
  const operation = entry.waiters[index];
  if (operation !== undefined) {
    entry.waiters.splice(index, 1);
    context.complete(operation, DONE);
  }
  context.touch(set, entry);
}
