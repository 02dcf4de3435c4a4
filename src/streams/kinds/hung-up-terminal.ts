/** Terminals whose master was closed: whatever is asked of them fails for good (drivers/tty/tty_io.c, hung_up_tty_fops). The same is made by the same. */
import { z } from 'zod';
import { defineKind, type OpenFile } from '../../fs/index.ts';
import { call, type Conversation, deviceMinor, ERRNO, INIT_PROCFS_FD, OPEN, TERMINAL, trySyscall, TTY } from '../../linux/index.ts';
import { openMaster } from './open-master.ts';
import { openSlave } from './session-terminal.ts';
import { isSlave, isTerminal } from './terminal.ts';

const state = z.object({ number: z.number() });

export const hungUpTerminalKind = defineKind<z.infer<typeof state>>({
  name: 'hung-up-terminal',
  schema: state,
  matches: (file) => isTerminal(file) && isSlave(file) && isHungUp(file),
  // oxlint-disable-next-line require-yield
  *capture({ status }) {
    return { number: deviceMinor(status.specialDevice) };
  },
  *restore({ number }, { flags }): Conversation<number> {
    const master = yield* openMaster(number, true);
    const got = new Int32Array(1);
    yield [call('ioctl', master, TTY.setLock, new Uint8Array(4)), call('ioctl', master, TTY.getNumber, new Uint8Array(got.buffer))];
    const [slave = -1] = yield [openSlave(got[0] ?? 0)];
    const reopen = flags & (OPEN.accessMode | OPEN.nonBlocking | OPEN.append | OPEN.sync);
    const [fd = -1] = yield [
      call('openat', INIT_PROCFS_FD, `self/fd/${slave}`, reopen | OPEN.noControllingTerminal | OPEN.closeOnExec, 0),
      call('close', slave),
      call('close', master),
    ];
    return fd;
  },
});

function isHungUp({ fd }: OpenFile): boolean {
  return trySyscall('ioctl', fd, TERMINAL.getAttributes, new Uint8Array(TERMINAL.attributesSize)) === -ERRNO.EIO;
}
