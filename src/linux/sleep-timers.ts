/** The timers that wake sleeping tasks. They lie on the tasks' stacks and name them. */
import type { KernelTypes } from './kernel-types.ts';
import { syscall } from './native.ts';

const KERNEL_ADDRESSES = 0xffff_8000_0000_0000n;
const KERNEL_CODE = 0xffff_ffff_8000_0000n;
/** The kernel allows itself to be late by this at most (fs/select.c, MAX_SLACK), nanoseconds. */
const LARGEST_SLACK = 100_000_000n;
/** HRTIMER_STATE_ENQUEUED or the flag that replaced it. */
const QUEUED = 1;
/** Jiffies; the kernel's timer wheel does not turn any further (kernel/time/timer.c, WHEEL_TIMEOUT_MAX). */
const LONGEST_TIMEOUT = 1n << 31n;
const CLOCK_MONOTONIC_COARSE = 6;

/** What {@link timerLayout} asks of. */
export const TIMER_STRUCTURES = ['hrtimer_sleeper', 'process_timer'] as const;

/** Offsets of members. */
export interface TimerLayout {
  readonly sleeper: { task: number; expires: number; earliest: number; wake: number; state: number };
  readonly timeout: { task: number; expires: number; wake: number; queued: number };
  readonly nanosecondsPerJiffy: bigint;
}

export function timerLayout(types: KernelTypes): TimerLayout {
  const sleeper = (path: string): number => types.offset('hrtimer_sleeper', path);
  const timeout = (path: string): number => types.offset('process_timer', path);
  return {
    sleeper: {
      task: sleeper('task'),
      expires: sleeper('timer.node.expires'),
      earliest: sleeper('timer._softexpires'),
      wake: sleeper('timer.function'),
      // Linux 6.17 made hrtimer.state a flag.
      state: types.optionalOffset('hrtimer_sleeper', 'timer.is_queued') ?? sleeper('timer.state'),
    },
    timeout: {
      task: timeout('task'),
      expires: timeout('timer.expires'),
      wake: timeout('timer.function'),
      queued: timeout('timer.entry.pprev'),
    },
    nanosecondsPerJiffy: coarseResolution(),
  };
}

/** Of the coarse clocks: a jiffy (kernel/time/posix-timers.c, posix_get_coarse_res). */
function coarseResolution(): bigint {
  const resolution = new Uint8Array(16);
  syscall('clock_getres', CLOCK_MONOTONIC_COARSE, resolution);
  return new DataView(resolution.buffer).getBigInt64(8, true);
}

/**
 * Until when a task sleeps by a struct hrtimer_sleeper (kernel/time/sleep_timeout.c); undefined when it does not.
 * @param stack from where the task switched away
 */
export function findSleeper(stack: DataView, task: bigint, { sleeper }: TimerLayout): bigint | undefined {
  for (let at = 0; at + sleeper.task + 8 <= stack.byteLength; at += 8) {
    const word = (offset: number): bigint => stack.getBigUint64(at + offset, true);
    if (word(sleeper.task) !== task || word(sleeper.wake) < KERNEL_CODE) continue;
    const earliest = word(sleeper.earliest);
    const latest = word(sleeper.expires);
    const queued = stack.getUint8(at + sleeper.state) === QUEUED;
    if (queued && earliest < KERNEL_ADDRESSES && latest >= earliest && latest - earliest <= LARGEST_SLACK) return earliest;
  }
  return undefined;
}

/** How long a task waits by a struct process_timer (there, schedule_timeout), nanoseconds; undefined when it does not. */
export function findTimeout(
  stack: DataView,
  task: bigint,
  { timeout, nanosecondsPerJiffy }: TimerLayout,
  jiffies: bigint,
): bigint | undefined {
  for (let at = 0; at + timeout.task + 8 <= stack.byteLength; at += 8) {
    const word = (offset: number): bigint => stack.getBigUint64(at + offset, true);
    if (word(timeout.task) !== task || word(timeout.wake) < KERNEL_CODE || word(timeout.queued) < KERNEL_ADDRESSES) continue;
    const rest = word(timeout.expires) - jiffies;
    if (rest >= 0n && rest <= LONGEST_TIMEOUT) return rest * nanosecondsPerJiffy;
  }
  return undefined;
}
