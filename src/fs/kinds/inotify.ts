/** inotify: watches are set again on the same files under the same numbers. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import {
  AT_FDCWD,
  attempt,
  call,
  deviceNumber,
  ERRNO,
  OPEN,
  parseExtendedStatus,
  STATX_MASK,
  STATX_SIZE,
  type Conversation,
  type InotifyWatch,
} from '../../linux/index.ts';
import { defineKind, type CaptureContext } from '../kind.ts';
import { refuseSharing } from '../sharing.ts';
import { Refusal } from '../verdict.ts';

const FIONREAD = 0x541b;
const FCNTL_SET_FLAGS = 4;
const EVENT_BUFFER = 65536;
/** IN_ALL_EVENTS, IN_DONT_FOLLOW, IN_EXCL_UNLINK, IN_ONESHOT */
const MASK = 0xfff | 0x02000000 | 0x04000000 | 0x80000000;
const IN_DONT_FOLLOW = 0x02000000;

const stateSchema = z.object({
  /** Sorted by descriptor. */
  watches: z.array(z.object({ descriptor: z.number(), path: z.string(), mask: z.number() })),
});

export const inotifyKind = defineKind<z.infer<typeof stateSchema>>({
  name: 'inotify',
  schema: stateSchema,
  matches: ({ link }) => link === 'anon_inode:inotify',
  *capture(file, context) {
    refuseSharing(file, context);
    const pending = new Int32Array(1);
    yield [call('ioctl', file.fd, FIONREAD, new Uint8Array(pending.buffer))];
    if (pending[0] !== 0 && context.contents) {
      throw new Refusal(
        'inotify.events-pending',
        'an inotify instance has events that were not read yet, and they cannot be put back; try again',
      );
    }
    const mounts = readMounts(context);
    const watches: { descriptor: number; path: string; mask: number }[] = [];
    for (const watch of context.info(file).inotifyWatches) {
      const path = yield* findPath(watch, mounts, context);
      watches.push({ descriptor: watch.descriptor, path, mask: (watch.mask & MASK) >>> 0 });
    }
    watches.sort((a, b) => a.descriptor - b.descriptor);
    return { watches };
  },
  *restore({ watches }, { flags }): Conversation<number> {
    const [fd = -1] = yield [call('inotify_init1', OPEN.nonBlocking | OPEN.closeOnExec)];
    let next = 1;
    for (const { descriptor, path, mask } of watches) {
      // Numbers are given in turn and never again: those between are used up.
      const calls = [];
      for (; next < descriptor; next++) {
        calls.push(call('inotify_add_watch', fd, path, mask | IN_DONT_FOLLOW), call('inotify_rm_watch', fd, next));
      }
      calls.push(call('inotify_add_watch', fd, path, mask | IN_DONT_FOLLOW));
      next++;
      const results = yield calls;
      if (results.at(-1) !== descriptor) throw new Refusal('inotify.watch-gone', `${path} got another watch number than it had`);
    }
    yield* drain(fd);
    if ((flags & OPEN.nonBlocking) === 0) yield [call('fcntl', fd, FCNTL_SET_FLAGS, 0)];
    return fd;
  },
});

/** Removing a watch queues IN_IGNORED, which the process must not see. */
function* drain(fd: number): Conversation<void> {
  for (;;) {
    const [length = 0] = yield [attempt('read', fd, new Uint8Array(EVENT_BUFFER), EVENT_BUFFER)];
    if (length === -ERRNO.EAGAIN) return;
  }
}

/** Where the container has each device mounted, by device number: any of its mounts may show only a part of it. */
function readMounts(context: CaptureContext): Map<number, string[]> {
  const mounts = new Map<number, string[]>();
  const [init] = /\/proc\/[^/]+/.exec(context.containerRoot) ?? [];
  for (const line of readFileSync(`${init}/mountinfo`, 'utf8').split('\n')) {
    const [, , device, , place] = line.split(' ');
    if (device === undefined || place === undefined) continue;
    const [major, minor] = device.split(':').map(Number);
    const number = deviceNumber(major ?? 0, minor ?? 0);
    const unescaped = place.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
    mounts.set(number, [...(mounts.get(number) ?? []), unescaped]);
  }
  return mounts;
}

/** The path of a watched inode, through its file handle. */
function* findPath(watch: InotifyWatch, mounts: ReadonlyMap<number, readonly string[]>, context: CaptureContext): Conversation<string> {
  for (const place of watch.handle.length === 0 ? [] : (mounts.get(watch.device) ?? [])) {
    const path = yield* findPathBelow(place, watch, context);
    if (path !== undefined) return path;
  }
  throw new Refusal(
    'inotify.watch-gone',
    `an inotify instance watches inode ${watch.inode}, which has no name (removed, or of a file system without handles)`,
  );
}

function* findPathBelow(place: string, watch: InotifyWatch, context: CaptureContext): Conversation<string | undefined> {
  const handle = new Uint8Array(8 + watch.handle.length);
  const view = new DataView(handle.buffer);
  view.setUint32(0, watch.handle.length, true);
  view.setInt32(4, watch.handleType, true);
  handle.set(watch.handle, 8);
  const [mount = -1] = yield [attempt('openat', AT_FDCWD, `${context.containerRoot}${place}`, OPEN.directory | OPEN.closeOnExec, 0)];
  if (mount < 0) return undefined; // a mounted file, or covered by another mount
  const [fd = -1] = yield [attempt('open_by_handle_at', mount, handle, OPEN.path | OPEN.closeOnExec), call('close', mount)];
  if (fd < 0) return undefined;
  const link = new Uint8Array(4200);
  const [length = 0] = yield [call('readlink', `/proc/self/fd/${fd}`, link, link.length), call('close', fd)];
  const path = Buffer.from(link.subarray(0, length)).toString();
  const status = new Uint8Array(STATX_SIZE);
  const [found = -1] = yield [attempt('statx', AT_FDCWD, `${context.containerRoot}${path}`, 0x100, STATX_MASK, status)];
  const seen = parseExtendedStatus(status);
  return found < 0 || seen.inode !== watch.inode || seen.device !== watch.device ? undefined : path;
}
