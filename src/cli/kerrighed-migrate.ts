/** Kerrighed's own `migrate [-h] [-v] PID NODE`: synchronous, silent on success; on failure a line as of perror(3) and exit status 1. */
import { getSystemErrorMessage } from 'node:util';
import { constants } from 'node:os';
import { errorKind, toKorriganError } from '../linux/errors.ts';
import { nodeClient } from './options.ts';
import { version } from './version.ts';

const USAGE_TEXT = `usage: migrate [-h] [-v] PID NODE
Moves the process PID to the node NODE of the cluster.
  -h  this help
  -v  the version
`;

/** ENONET is not among Node's constants: errno(3), Linux. */
const ENONET = 64;

/** The errno that Kerrighed's migrate(2) gave for each failure. */
const ERRNO_BY_CODE: Readonly<Record<string, number>> = {
  KRG_NO_SUCH_NODE: constants.errno.EINVAL,
  KRG_NODE_DEAD: ENONET,
  KRG_NO_SUCH_PROCESS: constants.errno.ESRCH,
  KRG_NOT_YOUR_PROCESS: constants.errno.EPERM,
  KRG_PERMISSION: constants.errno.EPERM,
  KRG_NOT_MOVABLE: constants.errno.ENOSYS,
  KRG_NOT_SUPPORTED: constants.errno.ENOSYS,
  KRG_PROCESS_BUSY: constants.errno.EAGAIN,
};

export async function kerrighedMigrate(words: readonly string[]): Promise<number> {
  const [first] = words;
  if (first === '-h' || first === '--help') {
    process.stdout.write(USAGE_TEXT);
    return 0;
  }
  if (first === '-v' || first === '--version') {
    process.stdout.write(`migrate (Korrigan) ${version()}\n`);
    return 0;
  }
  const [pid = '', node = ''] = words;
  if (words.length !== 2 || !/^[1-9]\d{0,6}$/.test(pid) || !/^\d+$/.test(node)) {
    process.stderr.write(USAGE_TEXT);
    return 1;
  }
  try {
    const [result] = await nodeClient({}).migrate({ pids: [Number(pid)], node });
    if (result?.outcome !== 'failed') return 0;
    process.stderr.write(perror(result.error.code, result.error.message));
  } catch (error) {
    const { code, message } = toKorriganError(error);
    process.stderr.write(perror(code, message));
  }
  return 1;
}

/** The text of the errno, as perror(3); then in brackets what Korrigan knows beyond it. */
function perror(code: string, message: string): string {
  const errno = ERRNO_BY_CODE[code];
  return errno === undefined
    ? `migrate: ${errorKind(code).meaning}\nmigrate: ${message}\n`
    : `migrate: ${capitalised(getSystemErrorMessage(-errno) ?? code)}\nmigrate: ${message}\n`;
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
