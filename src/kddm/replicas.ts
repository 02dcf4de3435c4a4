/**
 * Replicas: when a write ends (a put after a grab, a first touch), its content goes to as many other nodes as the set wants, beginning after the object's
 * home; the put is complete, and the object is given to other nodes, when they have it.
 */
import type { NodeId } from '../rpc/index.ts';
import { addressOf, type Context, entryOf } from './context.ts';
import { type Entry, pointTo } from './entry.ts';
import type { ObjectId } from './identity.ts';
import type { MessageOf } from './messages.ts';
import { DONE, type ObjectOperation } from './operations.ts';
import type { KddmSet } from './sets.ts';

/** @returns the nodes on which the owner keeps backups of the object */
export function keepersOf(context: Context, set: KddmSet, object: ObjectId): NodeId[] {
  const { members, self } = context;
  const first = members.indexOf(context.home(set, object));
  const ring = [...members.slice(first), ...members.slice(0, first)];
  return ring.filter((node) => node !== self).slice(0, set.record.replicas);
}

/** Makes the backups of the content that is here. `operation` is complete when they are made. */
export function backUp(context: Context, set: KddmSet, entry: Entry, operation: ObjectOperation | undefined): void {
  const holders = set.record.replicas === 0 ? [] : keepersOf(context, set, entry.object);
  if (holders.length === 0 || context.has('backup-not-awaited')) {
    if (operation !== undefined) context.complete(operation, DONE);
    if (holders.length === 0) return;
  } else {
    entry.pendingBackups.push({ version: entry.version, missing: new Set(holders), operation });
  }
  const content = set.linker.exportObject(entry.content, entry.object);
  for (const holder of holders) {
    entry.rmset.add(holder);
    context.send(holder, {
      kind: 'OBJECT_BACKUP',
      ...addressOf(set, entry),
      term: entry.term,
      version: entry.version,
      born: entry.born,
      content,
    });
  }
}

export function onBackup(context: Context, set: KddmSet, from: NodeId, message: MessageOf<'OBJECT_BACKUP'>): void {
  const { term, version, born, content } = message;
  const entry = entryOf(context, set, message.object, false);
  pointTo(entry, from, term);
  entry.backup = { isLost: false, term, version, born, bytes: content };
  context.send(from, { kind: 'OBJECT_BACKUP_ACK', ...addressOf(set, entry), version });
}

export function onBackupAck(context: Context, set: KddmSet, entry: Entry | undefined, from: NodeId, version: number): void {
  if (entry === undefined) return;
  for (const pending of entry.pendingBackups) if (pending.version <= version) pending.missing.delete(from);
  const complete = entry.pendingBackups.filter(({ missing }) => missing.size === 0);
  if (complete.length === 0) return;
  entry.pendingBackups = entry.pendingBackups.filter(({ missing }) => missing.size > 0);
  for (const { operation } of complete) if (operation !== undefined) context.complete(operation, DONE);
  context.touch(set, entry);
}
