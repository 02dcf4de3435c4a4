/** eventfd and signalfd: anonymous files whose whole state is one number. */
import { z } from 'zod';
import { call, OPEN, type Conversation } from '../../linux/index.ts';
import { defineKind } from '../kind.ts';
import { refuseSharing } from '../sharing.ts';

const EFD_SEMAPHORE = 1;
const SIGNAL_SET_SIZE = 8;

const eventState = z.object({ count: z.bigint(), semaphore: z.boolean() });

export const eventfdKind = defineKind<z.infer<typeof eventState>>({
  name: 'eventfd',
  schema: eventState,
  matches: ({ link }) => link === 'anon_inode:[eventfd]',
  // oxlint-disable-next-line require-yield
  *capture(file, context) {
    refuseSharing(file, context);
    const info = context.info(file);
    return { count: BigInt(`0x${info.get('eventfd-count') ?? '0'}`), semaphore: info.get('eventfd-semaphore') === '1' };
  },
  *restore({ count, semaphore }, { flags }): Conversation<number> {
    const [fd = -1] = yield [call('eventfd2', 0, (flags & OPEN.nonBlocking) | OPEN.closeOnExec | (semaphore ? EFD_SEMAPHORE : 0))];
    // The highest count that can be written is 2^64 − 2, which is also the highest that can be there.
    if (count !== 0n) yield [call('write', fd, new Uint8Array(BigUint64Array.of(count).buffer), 8)];
    return fd;
  },
});

const signalState = z.object({ mask: z.bigint() });

export const signalfdKind = defineKind<z.infer<typeof signalState>>({
  name: 'signalfd',
  schema: signalState,
  matches: ({ link }) => link === 'anon_inode:[signalfd]',
  // A signalfd shows whoever reads it that reader's own signals, so that sharing one across nodes changes nothing, except its mask.
  // oxlint-disable-next-line require-yield
  *capture(file, context) {
    refuseSharing(file, context);
    return { mask: BigInt(`0x${context.info(file).get('sigmask') ?? '0'}`) };
  },
  *restore({ mask }, { flags }): Conversation<number> {
    const set = new Uint8Array(BigUint64Array.of(mask).buffer);
    const [fd = -1] = yield [call('signalfd4', -1, set, SIGNAL_SET_SIZE, (flags & OPEN.nonBlocking) | OPEN.closeOnExec)];
    return fd;
  },
});
