/** How an operation that failed is told to its caller. */
import { type ErrorCode, KorriganError } from '../../linux/errors.ts';
import type { ObjectId } from '../identity.ts';
import type { SetRecord } from '../messages.ts';
import type { FailureCode, Result } from '../operations.ts';

const FAILURES: Readonly<Record<FailureCode, readonly [code: ErrorCode, text: string]>> = {
  lost: ['KRG_OBJECT_LOST', 'its only copy was on a node that died; remove it to create it anew'],
  busy: ['KRG_OBJECT_BUSY', 'somebody holds it; try again'],
  already: ['KRG_OBJECT_BUSY', 'another removal of it is under way'],
  'no-space': ['KRG_LAST_COPY', 'this is the last copy of it, and there is no node to send it to; name another member'],
  'no-entry': ['KRG_NO_SUCH_OBJECT', 'the object, or its set, is not here'],
  'not-held': ['KRG_NOT_HELD', 'the caller does not hold it as it would have to'],
  'not-supported': ['KRG_BAD_REQUEST', 'its set does not allow that'],
  leaving: ['KRG_NODE_LEAVING', 'this node leaves the cluster; ask another one'],
};

/** @param what was asked, of which object */
export function failure(what: string, code: FailureCode): KorriganError {
  const [error, text] = FAILURES[code];
  return new KorriganError(error, `${what}: ${text}`);
}

/** @throws KorriganError when the operation failed @returns its content; `undefined`: the object does not exist */
export function contentOf(kind: string, object: ObjectId, { name, set }: SetRecord, result: Result): unknown {
  if (result.kind === 'failed') throw failure(`${kind} of object ${object} of set ${name ?? set}`, result.code);
  return result.kind === 'done' ? result.content : undefined;
}
