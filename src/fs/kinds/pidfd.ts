/** pidfds: pids mean the same process on all nodes, so that a pidfd is opened again where its process, or its husk, is. */
import { z } from 'zod';
import { call, OPEN, type Conversation } from '../../linux/index.ts';
import { defineKind } from '../kind.ts';
import { Refusal } from '../verdict.ts';

/** PIDFD_THREAD: the pidfd of a single thread. */
const PIDFD_THREAD = OPEN.exclusive;
const FCNTL_SET_FLAGS = 4;

/** `pid` is that inside the container. */
const stateSchema = z.object({ pid: z.number() });

export const pidfdKind = defineKind<z.infer<typeof stateSchema>>({
  name: 'pidfd',
  schema: stateSchema,
  matches: ({ link }) => link === 'anon_inode:[pidfd]' || link.startsWith('pidfd:['),
  // oxlint-disable-next-line require-yield
  *capture(file, context) {
    const info = context.info(file);
    const pid = Number(info.get('NSpid')?.split(/\s+/).at(-1) ?? info.get('Pid') ?? -1);
    if (pid <= 0)
      throw new Refusal('pidfd.dead', 'a pidfd refers to a process that has ended and been waited for; close it before the move');
    if (!context.isKnownThere(pid)) {
      throw new Refusal('pidfd.outside', `a pidfd refers to process ${pid}, which is neither moving nor a relative of what moves`);
    }
    return { pid };
  },
  *restore({ pid }, { flags }): Conversation<number> {
    const [fd = -1] = yield [call('pidfd_open', pid, flags & PIDFD_THREAD)];
    if ((flags & OPEN.nonBlocking) !== 0) yield [call('fcntl', fd, FCNTL_SET_FLAGS, OPEN.nonBlocking)];
    return fd;
  },
});
