/**
 * Pids of other nodes: clone3(2) gives a process or thread no pid at or above the namespace's pid_max, which is the end of the node's
 * range, so that the allocator never leaves it. While somebody arrives pid_max is that of the whole cluster.
 */
import { converse } from '../linux/index.ts';
import type { Lane } from './lane.ts';
import { PID_LIMIT, type PidRange } from './pid-range.ts';
import { writeProcfs } from './setup.ts';

const PID_MAX = 'sys/kernel/pid_max';

export class ForeignPids {
  private readonly lane: Lane;
  private readonly range: PidRange;
  private arriving = 0;

  constructor(lane: Lane, range: PidRange) {
    this.lane = lane;
    this.range = range;
  }

  /** Admits pids of other nodes until the result is disposed of; any number may be held at a time. */
  admit(): Disposable {
    if (this.arriving++ === 0) converse(this.lane, writeProcfs(PID_MAX, String(PID_LIMIT)));
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held && --this.arriving === 0) this.shut();
        held = false;
      },
    };
  }

  /** Ends what a daemon that died may have left open. */
  shut(): void {
    converse(this.lane, writeProcfs(PID_MAX, String(this.range.high)));
  }
}
