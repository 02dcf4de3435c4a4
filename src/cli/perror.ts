/** Failures as Kerrighed's commands told them: perror(3) of an errno, then what Korrigan knows beyond it. */
import { constants } from 'node:os';
import { getSystemErrorMessage } from 'node:util';
import { errorKind } from '../linux/errors.ts';

/** ENONET is not among Node's constants: errno(3), Linux. */
export const ENONET = 64;

/** The errno that Kerrighed gave for each failure. */
const ERRNO_BY_CODE: Readonly<Record<string, number>> = {
  KRG_NO_SUCH_NODE: constants.errno.EINVAL,
  KRG_NODE_DEAD: ENONET,
  KRG_NODE_LOST: ENONET,
  KRG_NODE_NOT_PRESENT: ENONET,
  KRG_NODE_ONLINE: constants.errno.EPERM,
  KRG_NODE_LEAVING: constants.errno.EPERM,
  KRG_LAST_NODE: constants.errno.EPERM,
  KRG_NO_SUCH_PROCESS: constants.errno.ESRCH,
  KRG_NOT_YOUR_PROCESS: constants.errno.EPERM,
  KRG_PERMISSION: constants.errno.EPERM,
  KRG_CAPABILITY_MISSING: constants.errno.EPERM,
  KRG_NOT_MOVABLE: constants.errno.ENOSYS,
  KRG_NOT_SUPPORTED: constants.errno.ENOSYS,
  KRG_PROCESS_BUSY: constants.errno.EAGAIN,
  KRG_NO_MAJORITY: constants.errno.EAGAIN,
};

/** @param own what a failure means for this command where that differs */
export function strerror(code: string, own: Readonly<Record<string, number>> = {}): string {
  const errno = own[code] ?? ERRNO_BY_CODE[code];
  if (errno === undefined) return errorKind(code).meaning;
  const text = getSystemErrorMessage(-errno) ?? code;
  return text.charAt(0).toUpperCase() + text.slice(1);
}
