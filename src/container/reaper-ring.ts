/** The dead: what pid 1's reaper has put into its ring. Each stays there until it is acknowledged, across restarts of the daemon. */
import { decodeWaitStatus, type WaitStatus } from '../linux/index.ts';
import { REAPER_RING, SUPERBLOCK, type Arena } from './arena.ts';

/** How a process ended. */
export type Ending = Extract<WaitStatus, { kind: 'exited' | 'killed' }>;

/** A child of pid 1 that has ended. */
export interface ReapedProcess {
  /** Counts from 0, without gaps. */
  readonly sequence: number;
  /** In the container. */
  readonly pid: number;
  readonly ending: Ending;
  /** The status word of wait4(2). */
  readonly status: number;
  /** CPU time and peak size of the process and of those that it waited for. */
  readonly usage: { readonly userMicroseconds: number; readonly systemMicroseconds: number; readonly peakKilobytes: number };
}

export class ReaperRing {
  private readonly arena: Arena;

  constructor(arena: Arena) {
    this.arena = arena;
  }

  /** Sequence number of the oldest death that was not acknowledged. */
  get acknowledged(): number {
    return this.arena.loadCounter(SUPERBLOCK.reapLimit) - REAPER_RING.count;
  }

  /** Sequence number of the next death. */
  get next(): number {
    return this.arena.loadCounter(SUPERBLOCK.reaped);
  }

  /** The deaths from sequence number `from` on, oldest first. */
  read(from: number = this.acknowledged): ReapedProcess[] {
    return Array.from({ length: Math.max(0, this.next - from) }, (_, n) => this.entry(from + n));
  }

  /** All before `sequence` are known for good: the reaper may use their places. */
  acknowledge(sequence: number): void {
    this.arena.view.setBigInt64(SUPERBLOCK.reapLimit, BigInt(sequence + REAPER_RING.count), true);
  }

  private entry(sequence: number): ReapedProcess {
    const { view } = this.arena;
    const at = REAPER_RING.offset + (sequence % REAPER_RING.count) * REAPER_RING.size;
    const microseconds = (offset: number): number =>
      Number(view.getBigInt64(offset, true)) * 1e6 + Number(view.getBigInt64(offset + 8, true));
    return {
      sequence,
      pid: Number(view.getBigInt64(at + 8, true)),
      ending: decodeWaitStatus(view.getInt32(at + 16, true)) as Ending,
      status: view.getInt32(at + 16, true),
      usage: {
        userMicroseconds: microseconds(at + 24),
        systemMicroseconds: microseconds(at + 40),
        peakKilobytes: Number(view.getBigInt64(at + 56, true)),
      },
    };
  }
}
