/** Listening TCP sockets as /proc/PID/net/tcp and tcp6 show them (proc_pid_net(5)). */
import { readProcessFile } from './process-files.ts';

/** TCP_LISTEN of include/net/tcp_states.h, as /proc writes it. */
const LISTENING = '0A';
const [STATE, INODE] = [3, 9];

/** Inodes of all TCP sockets that listen in the network namespace of a process. */
export function listListeningSockets(pid: number): Set<number> {
  const found = new Set<number>();
  for (const table of ['net/tcp', 'net/tcp6']) {
    for (const line of (readProcessFile(pid, table) ?? '').split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields[STATE] === LISTENING) found.add(Number(fields[INODE]));
    }
  }
  return found;
}
