/** Namespaces (namespaces(7)): pids across pid namespaces, clocks of time namespaces. */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { ERRNO, SyscallError } from './errno.ts';
import { trySyscall } from './native.ts';

/** ioctl_nsfs(2), Linux 6.11. */
const NS_GET_PID_FROM_PIDNS = 0x8004b706;
const NS_GET_PID_IN_PIDNS = 0x8004b708;

/** Another pid namespace, below this process's own. */
export class PidNamespace implements Disposable {
  private readonly fd: number;

  /** @param pid a process in the namespace, as this process sees it */
  constructor(pid: number) {
    this.fd = openSync(`/proc/${pid}/ns/pid`, 'r');
  }

  /** The pid here of process `pid` there, or undefined when there is none. */
  toHere(pid: number): number | undefined {
    return this.translate(NS_GET_PID_FROM_PIDNS, pid);
  }

  /** The pid there of process `pid` here, or undefined when it is not in the namespace. */
  toThere(pid: number): number | undefined {
    return this.translate(NS_GET_PID_IN_PIDNS, pid);
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }

  private translate(request: number, pid: number): number | undefined {
    const result = trySyscall('ioctl', this.fd, request, pid);
    if (result > 0) return result;
    if (result === 0 || result === -ERRNO.ESRCH) return undefined;
    throw new SyscallError('ioctl', -result, 'NS_GET_PID');
  }
}

/** How far the clocks of a time namespace are ahead of those of the initial one, in nanoseconds (time_namespaces(7)). */
export interface ClockOffsets {
  readonly monotonic: bigint;
  readonly boottime: bigint;
}

/** Lines of /proc/PID/timens_offsets. */
export function parseClockOffsets(text: string): ClockOffsets {
  const offset = (clock: string): bigint => {
    const [, seconds, nanoseconds] = new RegExp(`^${clock}\\s+(-?\\d+)\\s+(\\d+)`, 'm').exec(text) ?? [];
    return BigInt(seconds ?? 0) * 1_000_000_000n + BigInt(nanoseconds ?? 0);
  };
  return { monotonic: offset('monotonic'), boottime: offset('boottime') };
}

/** What to write to timens_offsets; nanoseconds are never negative there. */
export function formatClockOffsets(offsets: ClockOffsets): string {
  const line = (clock: string, total: bigint): string => {
    const nanoseconds = ((total % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
    return `${clock} ${(total - nanoseconds) / 1_000_000_000n} ${nanoseconds}\n`;
  };
  return line('monotonic', offsets.monotonic) + line('boottime', offsets.boottime);
}

/** The offsets of this process's own time namespace. */
export function readClockOffsets(): ClockOffsets {
  return parseClockOffsets(readFileSync('/proc/self/timens_offsets', 'utf8'));
}
