/**
 * Pipes of which an end stays on the source, in another process or in the daemon. The process gets a fresh pipe, whose other end is the
 * target daemon's; see relay-protocol.ts.
 */
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import {
  type CaptureContext,
  defineKind,
  type DescriptorStore,
  type FilesImage,
  type Kind,
  type ObjectKind,
  type OpenFile,
  type OutsideHolder,
  Refusal,
} from '../../fs/index.ts';
import {
  AT_FDCWD,
  call,
  DescriptorInfo,
  ERRNO,
  FCNTL,
  FILE_TYPE,
  KorriganError,
  OPEN,
  SyscallError,
  trySyscall,
  type Conversation,
} from '../../linux/index.ts';
import { type ArrivedRelay, type KnownRelay, type RelayDirection, type RelayState, relayStateSchema } from '../relay-protocol.ts';
import { hungUpTerminalKind } from './hung-up-terminal.ts';
import { RELAYED_TERMINAL, relayedTerminalKind } from './relayed-terminal.ts';
import { controlState } from './session-terminal.ts';
import { TERMINAL_KIND } from './terminal.ts';
import { copyContents, isNamed, isReadable, openPipeEnd } from './pipe.ts';

/** The relays of the source, as capture needs them; on the worker's thread, synchronous. */
export interface RelaySource {
  /** This node: the home of streams that get a relay now. */
  readonly node: number;
  readonly known: readonly KnownRelay[];
  /** Keeps the process's own description at home. @returns the id of the stream */
  begin(direction: RelayDirection, file: OpenFile): string;
  /** Stops a relay that moves on. @returns undefined when it has just ended */
  stop(id: string): RelayState | undefined;
}

/** The target, as restoring needs it. */
export interface RelayHome {
  /** This node. */
  readonly node: number;
  /** See RelayService.comeHome. */
  comeHome(state: RelayState, waiting: number): number | undefined;
}

const KIND = 'relayed-pipe';
const INIT = 1;
const POLLHUP = 0x10;
const objectState = z.object({
  relay: relayStateSchema,
  capacity: z.number(),
  /** What the process has not read yet. */
  packets: z.array(z.custom<Uint8Array>((value) => value instanceof Uint8Array)),
});
type ObjectState = z.infer<typeof objectState>;

/** @param relays where files are captured @param home where they are restored */
export function relayedKinds(relays: RelaySource | undefined, home: RelayHome | undefined): Kind[] {
  return [relayedPipeKind(relays, home), hungUpTerminalKind, relayedTerminalKind(relays, home)];
}

/** The relays of an image that was restored; their descriptors stay open in pid 1 from now on. */
export function findArrivedRelays(image: FilesImage, store: DescriptorStore): ArrivedRelay[] {
  return image.objects
    .filter(({ kind }) => kind === KIND || kind === RELAYED_TERMINAL)
    .flatMap(({ id, state }) => {
      const { relay } = z.object({ relay: relayStateSchema }).parse(state);
      const [reader = -1, writer = -1] = store.objectDescriptors(id);
      if (reader === writer) return []; // the original end
      // Of a terminal the master stands first.
      const descriptor = relay.direction === 'from-home' ? writer : reader;
      store.keep(descriptor);
      return [{ state: relay, descriptor }];
    });
}

/** Sessions whose terminal is in the image. */
export function findControlledSessions({ objects }: FilesImage): Set<number> {
  const terminals = objects.filter(({ kind }) => kind === RELAYED_TERMINAL || kind === TERMINAL_KIND);
  return new Set(terminals.map(({ state }) => controlState.parse(state).session));
}

function relayedPipeKind(relays: RelaySource | undefined, home: RelayHome | undefined): Kind {
  const object: ObjectKind<ObjectState> = {
    schema: objectState,
    key: ({ status }) => `${status.device}:${status.inode}`,
    *capture(files, context) {
      const [file] = files;
      if (file === undefined || relays === undefined) throw new RangeError('nothing to relay');
      return yield* capture(files, file, relays, context);
    },
    *restore(state): Conversation<readonly number[]> {
      const waiting = state.packets.reduce((sum, { length }) => sum + length, 0);
      const original = state.relay.home === home?.node ? home.comeHome(state.relay, waiting) : undefined;
      if (original !== undefined) return [original, original];
      const ends = new Int32Array(2);
      yield [call('pipe2', new Uint8Array(ends.buffer), OPEN.nonBlocking | OPEN.closeOnExec)];
      const [reader = -1, writer = -1] = ends;
      const results = yield [
        call('fcntl', writer, FCNTL.setPipeSize, state.capacity),
        ...state.packets.map((packet) => call('write', writer, packet, packet.length)),
      ];
      if (results.slice(1).some((written, n) => written !== state.packets[n]?.length))
        throw new SyscallError('write to a pipe', ERRNO.ENOSPC);
      return [reader, writer];
    },
  };
  return defineKind<null, ObjectState>({
    name: KIND,
    schema: z.null(),
    object,
    matches: (file, context) =>
      relays !== undefined &&
      (file.status.mode & FILE_TYPE.mask) === FILE_TYPE.pipe &&
      (file.flags & OPEN.path) === 0 &&
      !isNamed(file) &&
      hasOutsideEnd(file, context),
    // oxlint-disable-next-line require-yield
    *capture() {
      return null;
    },
    restore: (_state, { flags }, [reader = -1, writer = -1]) => openPipeEnd(flags, reader, writer),
    outcome: () => ({ outcome: 'relayed', code: 'pipe.relayed', reason: 'its other end stays on this node' }),
  });
}

/** Whether an end of the pipe is anywhere but in the processes that move, be it in a process that cannot be seen from here. */
function hasOutsideEnd(file: OpenFile, context: CaptureContext): boolean {
  if (context.outside(file).target.length > 0) return true;
  const ends = context.files.filter(({ status }) => status.inode === file.status.inode && status.device === file.status.device);
  const reader = ends.find(isReadable);
  if (reader === undefined) return hasReaders(file);
  return ends.every((each) => each === reader || isReadOnly(each)) && isReadOnly(reader) && hasWriters(reader);
}

const isReadOnly = ({ flags }: OpenFile): boolean => (flags & OPEN.accessMode) === OPEN.readOnly;

/** A pipe without readers cannot be opened for writing (fifo(7)). */
function hasReaders({ fd }: OpenFile): boolean {
  try {
    closeSync(openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENXIO') return false;
    throw error;
  }
}

/** A pipe without writers hangs up (poll(2)). */
function hasWriters({ fd }: OpenFile): boolean {
  const poll = new Uint8Array(8);
  new DataView(poll.buffer).setInt32(0, fd, true);
  trySyscall('poll', poll, 1, 0);
  return (new DataView(poll.buffer).getInt16(6, true) & POLLHUP) === 0;
}

function* capture(files: readonly OpenFile[], file: OpenFile, relays: RelaySource, context: CaptureContext): Conversation<ObjectState> {
  const known = relays.known.find(({ inode }) => inode === file.status.inode);
  const strangers = context
    .outside(file)
    .target.filter(({ hostPid, fd }) => !(known !== undefined && fd === known.descriptor && context.pidInside(hostPid) === INIT));
  const reader = files.find(isReadable);
  if (files.some(({ flags }) => (flags & OPEN.direct) !== 0)) {
    throw new Refusal('pipe.outside', `${file.link} carries packets (O_DIRECT) to a process that stays; move both together (--tree)`);
  }
  const rival = reader === undefined ? undefined : strangers.find(isReadableThere);
  if (rival !== undefined) {
    throw new Refusal(
      'pipe.outside',
      `${file.link} is also read by process ${context.pidInside(rival.hostPid)}, which stays; move both together (--tree)`,
    );
  }
  const [capacity = 0] = yield [call('fcntl', file.fd, FCNTL.getPipeSize)];
  const direction = reader === undefined ? 'to-home' : 'from-home';
  const fresh = { home: relays.node, direction, epoch: 1, sent: { start: 0, bytes: new Uint8Array() }, received: 0 } as const;
  if (!context.contents) return { relay: { ...fresh, id: '' }, capacity, packets: [] };
  if (known === undefined || strangers.length > 0) {
    return { relay: { ...fresh, id: relays.begin(direction, reader ?? file) }, capacity, packets: [] };
  }
  const relay = relays.stop(known.id);
  if (relay === undefined) throw new KorriganError('KRG_PROCESS_BUSY', `the other end of ${file.link} has just been closed; try again`);
  const waiting = yield* readWaiting(file, capacity);
  if (relay.direction === 'from-home') return { relay: { ...relay, epoch: relay.epoch + 1 }, capacity, packets: waiting };
  const sent = { start: relay.sent.start, bytes: Buffer.concat([relay.sent.bytes, ...waiting]) };
  return { relay: { ...relay, epoch: relay.epoch + 1, sent }, capacity, packets: [] };
}

/** What is in a pipe, by any of its ends. */
function* readWaiting({ fd }: OpenFile, capacity: number): Conversation<Uint8Array[]> {
  const [reader = -1] = yield [call('openat', AT_FDCWD, `/proc/self/fd/${fd}`, OPEN.nonBlocking | OPEN.closeOnExec, 0)];
  try {
    return yield* copyContents(reader, capacity);
  } finally {
    yield [call('close', reader)];
  }
}

function isReadableThere({ hostPid, fd }: OutsideHolder): boolean {
  let info: DescriptorInfo;
  try {
    info = new DescriptorInfo(readFileSync(`/proc/${hostPid}/fdinfo/${fd}`, 'latin1'));
  } catch {
    return false; // closed or ended meanwhile
  }
  return (Number.parseInt(info.get('flags') ?? '0', 8) & OPEN.accessMode) !== OPEN.writeOnly;
}
