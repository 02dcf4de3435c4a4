/** A set of pids that one thread keeps and others look into without asking it: one bit for each pid that there can be. */
import { PID_LIMIT } from './pid-range.ts';

export class SharedPids extends Set<number> {
  /** To be given to other threads. */
  readonly bits = new SharedArrayBuffer(PID_LIMIT / 8);

  override add(pid: number): this {
    const [word, mask] = placeOf(pid);
    Atomics.or(new Int32Array(this.bits), word, mask);
    return super.add(pid);
  }

  override delete(pid: number): boolean {
    const [word, mask] = placeOf(pid);
    Atomics.and(new Int32Array(this.bits), word, ~mask);
    return super.delete(pid);
  }

  override clear(): void {
    new Int32Array(this.bits).fill(0);
    super.clear();
  }
}

/** Looks into the bits of {@link SharedPids} from another thread. */
export function hasSharedPid(bits: SharedArrayBuffer, pid: number): boolean {
  const [word, mask] = placeOf(pid);
  return (Atomics.load(new Int32Array(bits), word) & mask) !== 0;
}

const placeOf = (pid: number): [word: number, mask: number] => [pid >>> 5, 1 << (pid & 31)];
