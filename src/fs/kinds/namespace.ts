/** Open namespaces (/proc/PID/ns/…): those of the container exist on every node. */
import { readlinkSync } from 'node:fs';
import { z } from 'zod';
import { call, type Conversation, INIT_PROCFS_FD, OPEN } from '../../linux/index.ts';
import { defineKind } from '../kind.ts';
import { Refusal } from '../verdict.ts';

const LINK = /^(cgroup|ipc|mnt|net|pid|time|user|uts):\[\d+\]$/;
const stateSchema = z.object({ type: z.string() });

export const namespaceKind = defineKind<z.infer<typeof stateSchema>>({
  name: 'namespace',
  schema: stateSchema,
  matches: ({ link }) => LINK.test(link),
  // oxlint-disable-next-line require-yield
  *capture({ link }, context) {
    const type = LINK.exec(link)?.[1] ?? '';
    const init = context.containerRoot.slice(0, -'/root'.length);
    if (readlinkSync(`${init}/ns/${type}`) !== link) {
      throw new Refusal(
        'anonymous.namespace',
        `${link} is a namespace of its own, which other nodes do not have; close it before the move`,
      );
    }
    return { type };
  },
  *restore({ type }): Conversation<number> {
    const [fd = -1] = yield [call('openat', INIT_PROCFS_FD, `self/ns/${type}`, OPEN.readOnly | OPEN.closeOnExec, 0)];
    return fd;
  },
  outcome: ({ type }) => ({
    outcome: 'reconnects',
    code: 'file.node-local',
    reason: `it will be the ${type} namespace of the new node's container`,
  }),
});
