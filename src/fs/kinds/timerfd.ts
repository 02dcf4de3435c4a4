/** timerfd: the deadline travels on the cluster's monotonic clock, so that time spent on the way counts. */
import { z } from 'zod';
import { attempt, call, ERRNO, OPEN, SyscallError, type Conversation } from '../../linux/index.ts';
import { defineKind, type ContainerClocks } from '../kind.ts';
import { refuseSharing } from '../sharing.ts';

const CLOCK_REALTIME = 0;
const CLOCK_BOOTTIME = 7;
const CLOCK_REALTIME_ALARM = 8;
const CLOCK_BOOTTIME_ALARM = 9;
const TFD_TIMER_ABSTIME = 1;
/** sizeof(struct itimerspec) */
const TIMER_SPECIFICATION_SIZE = 32;
/** ioctl, include/uapi/linux/timerfd.h */
const TFD_IOC_SET_TICKS = 0x40085400;

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
    // A periodic timer that has expired stands still until somebody looks: this makes the kernel count up to now and go on.
    yield [call('timerfd_gettime', file.fd, new Uint8Array(TIMER_SPECIFICATION_SIZE))];
    const timer = context.info(file).timer;
    if (timer === undefined) throw new SyscallError(`fdinfo of ${file.link}`, ERRNO.EIO);
    const { clock, settimeFlags, value, interval, ticks } = timer;
    const base = (settimeFlags & TFD_TIMER_ABSTIME) === 0 ? context.clocks.monotonic : readClock(clock, context.clocks);
    return { clock, settimeFlags, interval, ticks, ...(value === 0n ? {} : { deadline: base + value }) };
  },
  *restore(state, { flags }, _objects, { clocks }): Conversation<number> {
    const [fd = -1] = yield [call('timerfd_create', state.clock, (flags & OPEN.nonBlocking) | OPEN.closeOnExec)];
    if (state.deadline !== undefined) {
      yield [call('timerfd_settime', fd, state.settimeFlags, timerSpecification(state, state.deadline, clocks), 0)];
    }
    if (state.ticks !== 0n) {
      const [result = 0] = yield [attempt('ioctl', fd, TFD_IOC_SET_TICKS, new Uint8Array(BigUint64Array.of(state.ticks).buffer))];
      if (result < 0) throw new SyscallError('ioctl(TFD_IOC_SET_TICKS)', -result, 'expirations that were not read yet');
    }
    return fd;
  },
});

/** struct itimerspec. An expiration that has passed on the way is due at once: the least time that arms a timer. */
function timerSpecification(state: State, deadline: bigint, clocks: ContainerClocks): Uint8Array {
  const absolute = (state.settimeFlags & TFD_TIMER_ABSTIME) !== 0;
  const remaining = deadline - clocks.monotonic;
  const value = absolute ? deadline : remaining > 0n ? remaining : 1n;
  const billion = 1_000_000_000n;
  return new Uint8Array(BigInt64Array.of(state.interval / billion, state.interval % billion, value / billion, value % billion).buffer);
}

function readClock(clock: number, clocks: ContainerClocks): bigint {
  if (clock === CLOCK_REALTIME || clock === CLOCK_REALTIME_ALARM) return clocks.realtime;
  return clock === CLOCK_BOOTTIME || clock === CLOCK_BOOTTIME_ALARM ? clocks.boottime : clocks.monotonic;
}
