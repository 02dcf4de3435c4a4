/** Which part of the protocol handles which message about an object. */
import type { NodeId } from '../rpc/index.ts';
import { onFirstTouch, onNoObject, onObject, onWriteAccess } from './answers.ts';
import { type Context, entryOf } from './context.ts';
import type { Entry } from './entry.ts';
import { onChangeOwnershipAck, onSendOwnership } from './eviction.ts';
import { onSync, onSyncAck } from './holds.ts';
import { onInvalid, onInvalidationAck } from './invalidation.ts';
import type { ObjectMessage } from './messages.ts';
import { onCopyRequest } from './owner.ts';
import { onRemove, onRemoveAck, onRemoveAck2, onRemoveDone, onRemoveToManager } from './removal.ts';
import { onBackup, onBackupAck } from './replicas.ts';
import { isDoubtful, type KddmSet } from './sets.ts';

export function onObjectMessage(context: Context, set: KddmSet, from: NodeId, message: ObjectMessage): void {
  const entry = set.entries.get(message.object);
  const makeEntry = (): Entry => entryOf(context, set, message.object, isDoubtful(set, message.object, context.doubts));
  switch (message.kind) {
    case 'REQ_OBJECT_COPY':
      return onCopyRequest(context, set, entry, makeEntry, from, message);
    case 'OBJECT_SEND':
      return onObject(context, set, entry, makeEntry, from, message);
    case 'NO_OBJECT_SEND':
      return onNoObject(context, set, entry, message);
    case 'SEND_WRITE_ACCESS':
      return onWriteAccess(context, set, entry, message);
    case 'SEND_BACK_FIRST_TOUCH':
      return onFirstTouch(context, set, entry, makeEntry, message);
    case 'REQ_OBJECT_INVALID':
      return onInvalid(context, set, entry, from, message);
    case 'INVALIDATION_ACK':
      return onInvalidationAck(context, set, entry, message);
    case 'REQ_OBJECT_REMOVE_TO_MGR':
      return onRemoveToManager(context, set, entry, makeEntry, from, message);
    case 'REQ_OBJECT_REMOVE':
      return onRemove(context, set, entry, makeEntry, from, message);
    case 'REMOVE_ACK':
      return onRemoveAck(context, set, entry, from, message.serial);
    case 'REMOVE_DONE':
      return onRemoveDone(context, set, entry, from, message);
    case 'REMOVE_ACK2':
      return onRemoveAck2(context, set, entry, from, message.serial);
    case 'SEND_OWNERSHIP':
      return onSendOwnership(context, set, entry, from, message);
    case 'CHANGE_OWNERSHIP_ACK':
      return onChangeOwnershipAck(context, set, entry, from, message);
    case 'OBJECT_SYNC':
      return onSync(context, set, from, message);
    case 'OBJECT_SYNC_ACK':
      return onSyncAck(context, entry, message.operation);
    case 'OBJECT_BACKUP':
      return onBackup(context, set, from, message);
    case 'OBJECT_BACKUP_ACK':
      return onBackupAck(context, set, entry, from, message.version);
  }
}
