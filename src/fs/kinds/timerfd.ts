/** timerfd: the deadline travels on the cluster's monotonic clock, so that time spent on the way counts. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import {
  attempt,
  call,
  DescriptorInfo,
  ERRNO,
  OPEN,
  parseClockOffsets,
  readClockOffsets,
  SyscallError,
  type Conversation,
} from '../../linux/index.ts';
import { defineKind, type CaptureContext } from '../kind.ts';
import { refuseSharing } from '../sharing.ts';
import type { OpenFile } from '../survey.ts';

const BILLION = 1_000_000_000n;
const CLOCK_REALTIME = 0;
const CLOCK_MONOTONIC = 1;
const CLOCK_BOOTTIME = 7;
const CLOCK_REALTIME_ALARM = 8;
const CLOCK_BOOTTIME_ALARM = 9;
const TFD_TIMER_ABSTIME = 1;
/** sizeof(struct itimerspec) */
const TIMER_SPECIFICATION_SIZE = 32;
/** ioctl, include/uapi/linux/timerfd.h */
const TFD_IOC_SET_TICKS = 0x40085400;
/** A timer that expires faster than it can be looked at is taken as it is. */
const TURNS = 20;

const stateSchema = z.object({
  clock: z.number(),
  /** Flags of the last timerfd_settime. */
  settimeFlags: z.number(),
  /** Next expiration in nanoseconds: of its own clock when TFD_TIMER_ABSTIME is set, else of the monotonic clock; undefined when disarmed. */
  deadline: z.bigint().optional(),
  interval: z.bigint(),
  ticks: z.bigint(),
});
type State = z.infer<typeof stateSchema>;

export const timerfdKind = defineKind<State>({
  name: 'timerfd',
  schema: stateSchema,
  matches: ({ link }) => link === 'anon_inode:[timerfd]',
  *capture(file, context) {
    refuseSharing(file, context);
    const { settimeFlags, clock } = timerOf(file);
    const base = (settimeFlags & TFD_TIMER_ABSTIME) === 0 ? CLOCK_MONOTONIC : withoutAlarm(clock);
    for (let turn = 1; ; turn++) {
      const before = yield* deadlineOf(file.fd, base);
      const { interval, ticks } = timerOf(file);
      const after = yield* deadlineOf(file.fd, base);
      // It may expire between the looks; what it has counted belongs to the time it shows only when that has not changed.
      const drift = (after ?? 0n) - (before ?? 0n);
      const steady = (before === undefined) === (after === undefined) && (interval === 0n || drift < interval / 2n);
      if (steady || turn === TURNS) {
        // Each look is late by what lay between its two questions.
        const earliest = after === undefined || before === undefined || before > after ? after : before;
        const deadline = earliest === undefined ? {} : { deadline: earliest + offsetOf(base, context) };
        return { clock, settimeFlags, interval, ticks, ...deadline };
      }
    }
  },
  *restore(state, { flags }): Conversation<number> {
    const time = new BigInt64Array(2);
    const [fd = -1] = yield [
      call('timerfd_create', state.clock, (flags & OPEN.nonBlocking) | OPEN.closeOnExec),
      call('clock_gettime', CLOCK_MONOTONIC, new Uint8Array(time.buffer)),
    ];
    const missed = missedExpirations(state, nanoseconds(time[0], time[1]));
    if (state.deadline !== undefined) {
      const deadline = state.deadline + missed * state.interval;
      const specification = timerSpecification(state, deadline, nanoseconds(time[0], time[1]));
      yield [call('timerfd_settime', fd, flagsToSet(state), specification, 0)];
    }
    if (state.ticks + missed !== 0n) {
      const [result = 0] = yield [attempt('ioctl', fd, TFD_IOC_SET_TICKS, new Uint8Array(BigUint64Array.of(state.ticks + missed).buffer))];
      if (result < 0) throw new SyscallError('ioctl(TFD_IOC_SET_TICKS)', -result, 'expirations that were not read yet');
    }
    return fd;
  },
});

/** Expirations of a periodic timer on the way. Those by clocks other than the monotonic one are counted by the kernel when they are due. */
function missedExpirations({ deadline, interval, clock, settimeFlags }: State, monotonicNow: bigint): bigint {
  const isMonotonic = (settimeFlags & TFD_TIMER_ABSTIME) === 0 || withoutAlarm(clock) === CLOCK_MONOTONIC;
  if (deadline === undefined || interval === 0n || !isMonotonic || deadline > monotonicNow) return 0n;
  return (monotonicNow - deadline) / interval + 1n;
}

function timerOf({ fd, link }: OpenFile) {
  const { timer } = new DescriptorInfo(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'));
  if (timer === undefined) throw new SyscallError(`fdinfo of ${link}`, ERRNO.EIO);
  return timer;
}

/**
 * When it expires next, on a clock of this process; undefined when it is not armed. A periodic timer that has expired stands still until
 * somebody looks: this makes the kernel count up to now and go on.
 */
function* deadlineOf(fd: number, clock: number): Conversation<bigint | undefined> {
  const remaining = new BigInt64Array(TIMER_SPECIFICATION_SIZE / 8);
  const time = new BigInt64Array(2);
  // The clock is asked last: an expiration that is late by the time between the two is right, one that is early is not.
  yield [call('timerfd_gettime', fd, new Uint8Array(remaining.buffer)), call('clock_gettime', clock, new Uint8Array(time.buffer))];
  const value = nanoseconds(remaining[2], remaining[3]);
  return value === 0n ? undefined : nanoseconds(time[0], time[1]) + value;
}

/** A periodic timer is set by the time that it keeps, so that it is not late by what happens here between two calls. */
function flagsToSet({ settimeFlags, clock, interval }: State): number {
  return interval > 0n && clock === CLOCK_MONOTONIC ? settimeFlags | TFD_TIMER_ABSTIME : settimeFlags;
}

/** struct itimerspec. An expiration that has passed on the way is due at once: the least time that arms a timer. */
function timerSpecification(state: State, deadline: bigint, monotonicNow: bigint): Uint8Array {
  const absolute = (flagsToSet(state) & TFD_TIMER_ABSTIME) !== 0;
  const remaining = deadline - monotonicNow;
  const value = absolute ? deadline : remaining > 0n ? remaining : 1n;
  return new Uint8Array(BigInt64Array.of(state.interval / BILLION, state.interval % BILLION, value / BILLION, value % BILLION).buffer);
}

/** The clock that a clock which also wakes the machine shows. */
function withoutAlarm(clock: number): number {
  if (clock === CLOCK_REALTIME_ALARM) return CLOCK_REALTIME;
  return clock === CLOCK_BOOTTIME_ALARM ? CLOCK_BOOTTIME : clock;
}

/** How far the container's clock is ahead of this process's. */
function offsetOf(clock: number, { containerRoot }: CaptureContext): bigint {
  if (clock === CLOCK_REALTIME) return 0n;
  const init = containerRoot.slice(0, -'/root'.length);
  const there = parseClockOffsets(readFileSync(`${init}/timens_offsets`, 'latin1'));
  const name = clock === CLOCK_BOOTTIME ? 'boottime' : 'monotonic';
  return there[name] - readClockOffsets()[name];
}

const nanoseconds = (seconds = 0n, rest = 0n): bigint => seconds * BILLION + rest;
