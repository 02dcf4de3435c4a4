/** Kerrighed's own `migrate [-h] [-v] PID NODE`: synchronous, silent on success; on failure a line as of perror(3) and exit status 1. */
import { toKorriganError } from '../linux/errors.ts';
import { nodeClient } from './options.ts';
import { ENONET, strerror } from './perror.ts';
import { version } from './version.ts';

const USAGE_TEXT = `usage: migrate [-h] [-v] PID NODE
Moves the process PID to the node NODE of the cluster.
  -h  this help
  -v  the version
`;

/** A node that is known and takes no part is no place to go. */
const OWN_ERRNO = { KRG_NODE_NOT_ONLINE: ENONET };

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

function perror(code: string, message: string): string {
  return `migrate: ${strerror(code, OWN_ERRNO)}\nmigrate: ${message}\n`;
}
