/**
 * Gives a process that is being restored its descriptors. They come from pid 1 in messages over a socketpair that the process makes
 * itself, which works for any credentials. Because the process's table is empty but for that socket, each descriptor
 * lands on the lowest free number: all numbers are known beforehand, and one program does everything.
 */
import {
  AT_FDCWD,
  call,
  converse,
  DESCRIPTORS_PER_MESSAGE,
  FCNTL,
  FD_CLOEXEC,
  KorriganError,
  messageWithDescriptors,
  OPEN,
  receivedDescriptors,
  roomForDescriptors,
  type Conversation,
  type Message,
  type Program,
  type ProgramRunner,
} from '../linux/index.ts';
import { sendDescriptors } from '../container/index.ts';
import type { Descriptor, ProcessFiles } from './image.ts';
import type { InstalledTable } from './kind.ts';
import { giveUpLock, takeLock } from './locks.ts';
import type { DescriptorStore } from './store.ts';
import { asNotMovable } from './verdict.ts';

export interface InstallOptions {
  readonly store: DescriptorStore;
  readonly files: ProcessFiles;
  /** Root directory of the process, as images name it. */
  readonly currentRoot: string | undefined;
  /** Runs programs inside the process, which still has the rights of pid 1. */
  readonly inside: ProgramRunner;
  /** Runs programs in pid 1 of the container. */
  readonly lane: ProgramRunner;
}

/** Descriptors beyond the process's own. */
export interface LentDescriptors {
  /** All from here on are closed by {@link enterDirectories}. */
  readonly first: number;
  /** Of what it has mapped, by the start of the mapping; closed by whoever maps it, before the process takes its record locks. */
  readonly mapped: ReadonlyMap<number, number>;
  readonly workingDirectory: number;
  /** Undefined where it is what the process has. */
  readonly rootDirectory: number | undefined;
}

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const RLIMIT_NOFILE = 7;
const MSG_DONTWAIT = 0x40;
const HIGHEST_DESCRIPTOR = 0xffffffff;
const CHROOT_HERE = '.';
/** The record pipe of a husk, a socketpair, and what is sent. */
const DESCRIPTORS_TO_ENTER = 4;
/** What F_SETFL changes (fcntl(2)). */
const SETTABLE_FLAGS = OPEN.append | OPEN.nonBlocking | OPEN.direct | OPEN.noAccessTime | OPEN.async;

/** Where received descriptors land and where they belong. Pure, so that it can be tested for any table. */
export interface Placement {
  /** Number of the socket meanwhile: above all numbers of the table. */
  readonly socket: number;
  /** Descriptions in the order in which they are sent. */
  readonly order: readonly number[];
  /** Numbers on which they land. */
  readonly landing: readonly number[];
  /** Moves from landing to final number, in this order. */
  readonly moves: readonly { readonly from: number; readonly to: number; readonly closeOnExec: boolean }[];
  /** Numbers that are already right but for FD_CLOEXEC. */
  readonly setCloseOnExec: readonly number[];
  /** Landing numbers that must be closed at the end. */
  readonly close: readonly number[];
  readonly extras: ReadonlyMap<number, number>;
}

/** Plans a table: what is sent i-th lands on number i (or, above the socket, i + 1), which is never above its final number. */
export function planPlacement(descriptors: readonly Descriptor[], extras: readonly number[]): Placement {
  const table = descriptors.toSorted((a, b) => a.fd - b.fd);
  const socket = (table.at(-1)?.fd ?? -1) + 1;
  const numbers = new Map(extras.map((description, n) => [description, socket + 1 + n]));
  const wanted = [...table, ...Array.from(numbers, ([description, fd]) => ({ fd, description, closeOnExec: true }))];
  const landing = wanted.map((_, n) => (n < socket ? n : n + 1));
  const finals = new Set(wanted.map(({ fd }) => fd));
  const moves: { from: number; to: number; closeOnExec: boolean }[] = [];
  const setCloseOnExec: number[] = [];
  // From the top down: a final number is never below its landing, so that it is free or was left already.
  for (let n = wanted.length - 1; n >= 0; n--) {
    const { fd, closeOnExec } = wanted[n] as Descriptor;
    const from = landing[n] as number;
    if (from !== fd) moves.push({ from, to: fd, closeOnExec });
    else if (closeOnExec) setCloseOnExec.push(fd);
  }
  const close = landing.filter((number) => !finals.has(number));
  return { socket, order: wanted.map(({ description }) => description), landing, moves, setCloseOnExec, close, extras: numbers };
}

/**
 * Replaces whatever descriptors the process has by those of its image, and sets its umask. Everything but record locks and directories: files are
 * still to be mapped, by their paths from the root of the container.
 */
export function installFiles(options: InstallOptions): LentDescriptors {
  const { store, files, inside, lane } = options;
  const needed = firstHeld(store, files).flatMap(({ kind, state }) => [...(kind.needs?.(state) ?? [])]);
  const lent = [...new Set(files.mapped.map(({ description }) => description))];
  const extras = [...new Set([...lent, files.workingDirectory, files.rootDirectory, ...needed])];
  const placement = planPlacement(files.descriptors, extras);

  const [near, far] = converse(inside, makeChannel(placement.socket + extras.length + 2));
  const messages = chunk(placement.order, DESCRIPTORS_PER_MESSAGE);
  converse(
    lane,
    sendDescriptors(
      files.pid,
      far,
      messages.map((ids) => messageWithDescriptors(ids.map((id) => store.descriptor(id)))),
    ),
  );
  converse(
    inside,
    receive(
      near,
      placement,
      messages.map((ids) => roomForDescriptors(ids.length)),
    ),
  );

  const extra = (description: number): number => {
    const number = placement.extras.get(description);
    if (number === undefined) throw new RangeError(`description ${description} was not asked for`);
    return number;
  };
  const spare = placement.socket + 1 + extras.length;
  const descriptors = new Map(files.descriptors.map((descriptor) => [descriptor.fd, descriptor]));
  try {
    converse(inside, complete(options, { descriptors, extra, spare }));
  } catch (error) {
    throw asNotMovable(error);
  }
  const root = store.image.descriptions.find(({ id }) => id === files.rootDirectory);
  return {
    first: placement.socket + 1,
    mapped: new Map(files.mapped.map(({ start, description }) => [start, extra(description)])),
    workingDirectory: extra(files.workingDirectory),
    rootDirectory: root?.name === options.currentRoot ? undefined : extra(files.rootDirectory),
  };
}

/** Appends records that give the process its directories, as long as it has the rights of pid 1. The lent descriptors are closed. */
export function enterDirectories(program: Program, { first, workingDirectory, rootDirectory }: LentDescriptors): void {
  if (rootDirectory !== undefined) {
    program.call('fchdir', rootDirectory);
    program.call('chroot', program.string(CHROOT_HERE));
  }
  program.call('fchdir', workingDirectory);
  program.call('close_range', first, HIGHEST_DESCRIPTOR, 0);
}

/** Makes the root of the container the working directory of a process that has another root directory. */
export function enterContainerRoot({ pid, inside, lane }: { pid: number; inside: ProgramRunner; lane: ProgramRunner }): void {
  const [near, far] = converse(inside, makeChannel(DESCRIPTORS_TO_ENTER));
  converse(lane, sendContainerRoot(pid, far));
  converse(inside, enter(near, far, roomForDescriptors(1)));
}

function* sendContainerRoot(pid: number, socket: number): Conversation<void> {
  const [root = -1] = yield [call('openat', AT_FDCWD, '/', OPEN.path | OPEN.closeOnExec, 0)];
  try {
    yield* sendDescriptors(pid, socket, [messageWithDescriptors([root])]);
  } finally {
    yield [call('close', root)];
  }
}

function* enter(near: number, far: number, room: Message): Conversation<void> {
  yield [call('recvmsg', near, room.header, MSG_DONTWAIT)];
  const [root = -1] = receivedDescriptors(room);
  yield [call('fchdir', root), ...[root, near, far].map((fd) => call('close', fd))];
}

/** Takes the record locks of a process, after the source has given them up. @throws SyscallError EAGAIN when somebody snatched one */
export function takeRecordLocks(inside: ProgramRunner, files: ProcessFiles): void {
  changeRecordLocks(inside, files, takeLock);
}

/** Gives the record locks of a process up: at the source, before the target takes them. */
export function giveUpRecordLocks(inside: ProgramRunner, files: ProcessFiles): void {
  changeRecordLocks(inside, files, giveUpLock);
}

function changeRecordLocks(inside: ProgramRunner, { recordLocks }: ProcessFiles, make: typeof takeLock): void {
  if (recordLocks.length === 0) return;
  const change = function* (): Conversation<void> {
    yield recordLocks.map(({ fd, lock }) => make(fd, lock));
  };
  converse(inside, change());
}

/** Descriptions whose first holder this process is: what is done once for each is done there. */
function firstHeld(store: DescriptorStore, files: ProcessFiles) {
  const earlier = new Set<number>();
  for (const process of store.image.processes) {
    if (process.pid === files.pid) break;
    for (const { description } of process.descriptors) earlier.add(description);
  }
  const found: { fd: number; kind: ReturnType<DescriptorStore['kind']>; state: unknown; flags: number }[] = [];
  const byId = new Map(store.image.descriptions.map((description) => [description.id, description]));
  for (const { fd, description } of files.descriptors) {
    const held = byId.get(description);
    if (held === undefined || earlier.has(description)) continue;
    earlier.add(description);
    found.push({ fd, kind: store.kind(held.kind), state: held.state, flags: held.flags });
  }
  return found;
}

/** Makes the socketpair, and room for `count` descriptors as far as the hard limit allows. */
function* makeChannel(count: number): Conversation<[number, number]> {
  const pair = new Int32Array(2);
  const limits = new BigUint64Array(2);
  yield [
    call('prlimit64', 0, RLIMIT_NOFILE, 0, new Uint8Array(limits.buffer)),
    call('socketpair', AF_UNIX, SOCK_SEQPACKET | OPEN.closeOnExec, 0, new Uint8Array(pair.buffer)),
  ];
  const [soft = 0n, hard = 0n] = limits;
  if (BigInt(count) > hard) {
    throw new KorriganError(
      'KRG_LIMIT',
      `a process needs ${count} descriptors, and may not have more than ${hard} (RLIMIT_NOFILE); raise the limit of the node`,
    );
  }
  if (BigInt(count) > soft) yield [call('prlimit64', 0, RLIMIT_NOFILE, new Uint8Array(BigUint64Array.of(hard, hard).buffer), 0)];
  const [near = -1, far = -1] = pair;
  return [near, far];
}

function* receive(
  near: number,
  { socket, landing, moves, setCloseOnExec, close }: Placement,
  rooms: readonly Message[],
): Conversation<void> {
  const isAbove = near === socket ? [] : [call('dup3', near, socket, OPEN.closeOnExec)];
  yield [
    ...isAbove,
    ...(socket === 0 ? [] : [call('close_range', 0, socket - 1, 0)]),
    call('close_range', socket + 1, HIGHEST_DESCRIPTOR, 0),
    ...rooms.map(({ header }) => call('recvmsg', socket, header, MSG_DONTWAIT)),
    ...moves.map(({ from, to, closeOnExec }) => call('dup3', from, to, closeOnExec ? OPEN.closeOnExec : 0)),
    ...setCloseOnExec.map((fd) => call('fcntl', fd, FCNTL.setDescriptorFlags, FD_CLOEXEC)),
    ...close.map((fd) => call('close', fd)),
    call('close', socket),
  ];
  const received = rooms.flatMap((room) => receivedDescriptors(room));
  if (received.length !== landing.length || received.some((fd, n) => fd !== landing[n])) {
    throw new KorriganError('KRG_INTERNAL', `descriptors landed on ${received.join(' ')} instead of ${landing.join(' ')}`);
  }
}

function* complete({ store, files }: InstallOptions, table: InstalledTable): Conversation<void> {
  for (const { fd, kind, state, flags } of firstHeld(store, files)) {
    // The signal carries the number under which it was asked for (fasync_helper in fs/fcntl.c), so that it is asked for here.
    if ((flags & OPEN.async) !== 0) yield [call('fcntl', fd, FCNTL.setFlags, flags & SETTABLE_FLAGS)];
    const step = kind.install?.(state, fd, table);
    if (step !== undefined) yield* step;
  }
  yield [call('umask', files.umask)];
}

function chunk<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, n) => items.slice(n * size, (n + 1) * size));
}
