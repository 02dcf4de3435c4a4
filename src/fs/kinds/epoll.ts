/**
 * epoll: an entry is keyed by the open file *and* the number under which it was added, and goes on after that number was closed
 * or reused as long as the file is open. So entries are added again inside a process that has the instance, under their numbers.
 */
import { z } from 'zod';
import { call, compareWithEpollTarget, OPEN, type Call, type Conversation, type EpollEntry } from '../../linux/index.ts';
import { defineKind, type CaptureContext, type InstalledTable } from '../kind.ts';
import { refuseSharing } from '../sharing.ts';
import type { OpenFile } from '../survey.ts';
import { Refusal } from '../verdict.ts';

const EPOLL_CTL_ADD = 1;
const EPOLLIN_PRI_OUT_RDHUP = 0x1 | 0x2 | 0x4 | 0x2000;
/** ADD sets these in every entry; a one-shot entry that has fired, and only such a one, has them cleared. */
const EPOLLERR_HUP = 0x18;
const EVENT_SIZE = 12;

const entrySchema = z.object({
  /** Number under which it was added. */
  fd: z.number(),
  description: z.number(),
  events: z.number(),
  data: z.bigint(),
});
type Entry = z.infer<typeof entrySchema>;
const stateSchema = z.object({ entries: z.array(entrySchema) });

const isDisabled = ({ events }: Entry): boolean => (events & EPOLLERR_HUP) === 0;

export const epollKind = defineKind<z.infer<typeof stateSchema>>({
  name: 'epoll',
  schema: stateSchema,
  matches: ({ link }) => link === 'anon_inode:[eventpoll]',
  // oxlint-disable-next-line require-yield
  *capture(file, context) {
    refuseSharing(file, context);
    const seen = new Map<number, number>();
    const entries = context.info(file).epollEntries.map((entry) => {
      const nth = seen.get(entry.fd) ?? 0;
      seen.set(entry.fd, nth + 1);
      return { ...entry, description: findTarget(file, entry, nth, context).id };
    });
    return { entries };
  },
  *restore(): Conversation<number> {
    const [fd = -1] = yield [call('epoll_create1', OPEN.closeOnExec)];
    return fd;
  },
  needs: ({ entries }) => [...new Set(entries.map(({ description }) => description))],
  *install({ entries }, fd, table) {
    yield* addDisabled(entries.filter(isDisabled), fd, table);
    const calls = entries.filter((entry) => !isDisabled(entry)).flatMap((entry) => addUnderNumber(entry, entry.events, fd, table));
    if (calls.length > 0) yield calls;
  },
});

function findTarget(epoll: OpenFile, entry: EpollEntry, nth: number, context: CaptureContext): OpenFile {
  const isTarget = (file: OpenFile): boolean => compareWithEpollTarget(process.pid, file.fd, process.pid, epoll.fd, entry.fd, nth) === 0;
  const likely = context.files.filter((file) => file.holders.some(({ fd }) => fd === entry.fd));
  const found = likely.find(isTarget) ?? context.files.find((file) => file.holders.length > 0 && isTarget(file));
  if (found === undefined) {
    throw new Refusal(
      'epoll.target-outside',
      `an epoll instance watches a file (added as descriptor ${entry.fd}) that only processes which stay have open`,
    );
  }
  return found;
}

/** The calls that add an entry under its number, whatever has that number now. */
function addUnderNumber(entry: Entry, events: number, epoll: number, table: InstalledTable): Call[] {
  const event = new Uint8Array(EVENT_SIZE);
  const view = new DataView(event.buffer);
  view.setUint32(0, events, true);
  view.setBigUint64(4, entry.data, true);
  const add = call('epoll_ctl', epoll, EPOLL_CTL_ADD, entry.fd, event);
  const present = table.descriptors.get(entry.fd);
  if (present?.description === entry.description) return [add];
  const lend = [call('dup3', table.extra(entry.description), entry.fd, OPEN.closeOnExec), add];
  if (present === undefined) return [...lend, call('close', entry.fd)];
  return [
    call('dup3', entry.fd, table.spare, OPEN.closeOnExec),
    ...lend,
    call('dup3', table.spare, entry.fd, present.closeOnExec ? OPEN.closeOnExec : 0),
    call('close', table.spare),
  ];
}

/**
 * A one-shot entry that has fired waits to be armed again, deaf even to errors and hang-ups. Only firing makes one: it is added for
 * all that is ready and collected at once, before the other entries are there.
 * @throws Refusal when it cannot be made to fire
 */
function* addDisabled(entries: readonly Entry[], epoll: number, table: InstalledTable): Conversation<void> {
  if (entries.length === 0) return;
  const collected = new Uint8Array(EVENT_SIZE * entries.length);
  const adds = entries.flatMap((entry) => addUnderNumber(entry, entry.events | EPOLLIN_PRI_OUT_RDHUP, epoll, table));
  const results = yield [...adds, call('epoll_wait', epoll, collected, entries.length, 0)];
  if (results.at(-1) !== entries.length) {
    throw new Refusal('epoll.disabled-entry', 'an epoll instance has one-shot entries that have fired and are not ready now; try again');
  }
}
