/**
 * Pseudo-terminals whose master moves too: the pair is made again under the same number, with its settings. A terminal that somebody
 * else's program or the node itself holds by its master is a stream to what stays.
 */
import { z } from 'zod';
import { defineKind, Refusal, type CaptureContext, type FilesImage, type ObjectKind, type OpenFile } from '../../fs/index.ts';
import {
  ALTERNATE_TTY_MAJOR,
  call,
  CONTROLLING_MINOR,
  type Conversation,
  deviceMajor,
  deviceMinor,
  FCNTL,
  FILE_TYPE,
  FLUSH_BOTH,
  INIT_PROCFS_FD,
  MULTIPLEXER_MINOR,
  OPEN,
  PTY_SLAVE_MAJOR,
  PTY_SLAVE_MAJORS,
  TERMINAL,
  trySyscall,
  TTY,
} from '../../linux/index.ts';
import { openMaster } from './open-master.ts';
import { byLeader, controlState, openSlave, usePair } from './session-terminal.ts';
import { isCanonical, LONGEST_LINE, peekTypedLine, typeLine } from './typed-line.ts';

export const TERMINAL_KIND = 'terminal';
/** Majors of virtual consoles, serial lines and BSD ptys. */
const REAL_MAJORS = new Set([2, 3, 4, ALTERNATE_TTY_MAJOR, 204, 229]);

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const objectState = controlState.extend({
  /** N of /dev/pts/N. */
  number: z.number(),
  attributes: bytes,
  windowSize: bytes,
  /** The beginning of a line that nobody can read yet. */
  typed: bytes,
  packetMode: z.boolean(),
  locked: z.boolean(),
  exclusive: z.boolean(),
  uid: z.number(),
  gid: z.number(),
  mode: z.number(),
});
export type TerminalState = z.infer<typeof objectState>;

export const isTerminal = ({ status, flags }: OpenFile): boolean =>
  (status.mode & FILE_TYPE.mask) === FILE_TYPE.characterDevice && (flags & OPEN.path) === 0;
export const isMaster = ({ status }: OpenFile): boolean =>
  deviceMajor(status.specialDevice) === ALTERNATE_TTY_MAJOR && deviceMinor(status.specialDevice) === MULTIPLEXER_MINOR;
export const isSlave = ({ status }: OpenFile): boolean => {
  const major = deviceMajor(status.specialDevice);
  return major >= PTY_SLAVE_MAJOR && major < PTY_SLAVE_MAJOR + PTY_SLAVE_MAJORS;
};
const isControlling = ({ status }: OpenFile): boolean =>
  deviceMajor(status.specialDevice) === ALTERNATE_TTY_MAJOR && deviceMinor(status.specialDevice) === CONTROLLING_MINOR;

/** Number of the pty, or undefined for a real terminal. */
export function numberOf(file: OpenFile, context: CaptureContext): number | undefined {
  if (isSlave(file)) return deviceMinor(file.status.specialDevice);
  if (isMaster(file)) return ask(file.fd, TTY.getNumber);
  if (!isControlling(file)) return undefined;
  // Behind /dev/tty is the controlling terminal of whoever opened it.
  const slave = context.files.find((other) => isSlave(other) && ask(other.fd, TERMINAL.getSession) === ask(file.fd, TERMINAL.getSession));
  return slave === undefined ? undefined : deviceMinor(slave.status.specialDevice);
}

function ask(fd: number, request: number): number {
  const value = new Int32Array(1);
  return trySyscall('ioctl', fd, request, new Uint8Array(value.buffer)) < 0 ? -1 : (value[0] ?? -1);
}

const object: ObjectKind<TerminalState> = {
  schema: objectState,
  key: (file, context) => `${numberOf(file, context) ?? file.link}`,
  *capture(files, context) {
    const [file] = files;
    if (file === undefined) throw new RangeError('an object without descriptions');
    const number = numberOf(file, context);
    const master = files.find(isMaster);
    if (number === undefined)
      throw new Refusal('terminal.real', `${file.link} is a terminal of this node itself; start the program with krg run`);
    if (master === undefined) throw new Refusal('terminal.outside', `the master of ${file.link} stays on this node`);
    for (const each of files) {
      const [stranger] = each === master ? context.outside(each).description : context.outside(each).target;
      if (stranger !== undefined) {
        throw new Refusal(
          'terminal.outside',
          `${each.link} is also open in process ${context.pidInside(stranger.hostPid)}, which stays; move both together (--tree)`,
        );
      }
    }
    const slave = files.find(isSlave);
    const attributes = new Uint8Array(TERMINAL.attributesSize);
    const windowSize = new Uint8Array(TERMINAL.windowSize);
    yield [call('ioctl', master.fd, TERMINAL.getAttributes, attributes), call('ioctl', master.fd, TTY.getWindowSize, windowSize)];
    const waiting = [master, ...(slave === undefined ? [] : [slave])].some(({ fd }) => ask(fd, TERMINAL.bytesToRead) > 0);
    if (waiting && context.contents)
      throw new Refusal('terminal.queue', `/dev/pts/${number} has input or output that was not read yet; try again`);
    const hidden = slave !== undefined && context.contents && isCanonical(attributes);
    const typed = hidden ? yield* peekTypedLine(slave.fd, attributes) : new Uint8Array(0);
    if (typed.length >= LONGEST_LINE) throw new Refusal('terminal.queue', `/dev/pts/${number} has as much input as fits; try again`);
    const { uid = 0, gid = 5, mode = 0o620 } = slave?.status ?? {};
    return {
      number,
      attributes,
      windowSize,
      typed,
      packetMode: ask(master.fd, TERMINAL.getPacketMode) === 1,
      locked: ask(master.fd, TERMINAL.getLock) === 1,
      exclusive: ask(master.fd, TERMINAL.getExclusive) === 1,
      session: context.pidInside(Math.max(ask(master.fd, TERMINAL.getSession), 0)),
      foregroundGroup: context.pidInside(Math.max(ask(master.fd, TTY.getForegroundGroup), 0)),
      uid,
      gid,
      mode: mode & 0o7777,
    };
  },
  make: byLeader,
  *restore(state, context): Conversation<readonly number[]> {
    const pair = yield* usePair(state, context);
    const [master, slave] = pair === undefined ? yield* makeAnew(state) : yield* makeReady(state, pair);
    const int = (value: boolean): Uint8Array => new Uint8Array(Int32Array.of(value ? 1 : 0).buffer);
    yield [
      call('ioctl', slave, TERMINAL.setAttributes, state.attributes),
      call('ioctl', master, TTY.setWindowSize, state.windowSize),
      call('ioctl', master, TERMINAL.setPacketMode, int(state.packetMode)),
      call('fchown', slave, state.uid, state.gid),
      call('fchmod', slave, state.mode),
    ];
    yield* typeLine(slave, state.typed, state.attributes);
    return [master, slave];
  },
  *finish(state, [master = -1, slave = -1]) {
    const calls = [];
    if (state.exclusive) calls.push(call('ioctl', slave, TERMINAL.setExclusive, 0));
    if (state.locked) calls.push(call('ioctl', master, TTY.setLock, new Uint8Array(Int32Array.of(1).buffer)));
    if (calls.length > 0) yield calls;
  },
};

/** The terminal that the leader's husk has got, or kept: it may hold what was under way when it was left. */
function* makeReady({ number, session }: TerminalState, [master, slave]: [number, number]): Conversation<[number, number]> {
  const got = new Int32Array(1);
  yield [call('ioctl', master, TTY.getNumber, new Uint8Array(got.buffer))];
  if (got[0] !== number) {
    const why = `session ${session} has /dev/pts/${got[0]} there`;
    throw new Refusal('terminal.number-taken', `/dev/pts/${number} exists on this node already, or was another terminal before: ${why}`);
  }
  yield [
    call('ioctl', master, TTY.setLock, new Uint8Array(4)),
    call('ioctl', master, TERMINAL.setPacketMode, new Uint8Array(4)),
    call('ioctl', slave, TERMINAL.clearExclusive, 0),
    call('ioctl', slave, TERMINAL.flush, FLUSH_BOTH),
  ];
  return [master, slave];
}

function* makeAnew({ number, session }: TerminalState): Conversation<[number, number]> {
  if (session !== 0)
    throw new Refusal(
      'terminal.outside',
      `/dev/pts/${number} controls session ${session}, which cannot have it there; move all of it together (--tree)`,
    );
  const master = yield* openMaster(number);
  const [, slave = -1] = yield [call('ioctl', master, TTY.setLock, new Uint8Array(4)), openSlave(number)];
  return [master, slave];
}

const descriptionState = z.object({ master: z.boolean() });

export const terminalKind = defineKind<z.infer<typeof descriptionState>, TerminalState>({
  name: TERMINAL_KIND,
  schema: descriptionState,
  object,
  matches: (file) =>
    isTerminal(file) && (isSlave(file) || isMaster(file) || isControlling(file) || REAL_MAJORS.has(deviceMajor(file.status.specialDevice))),
  // oxlint-disable-next-line require-yield
  *capture(file) {
    return { master: isMaster(file) };
  },
  *restore({ master }, { flags }, [masterFd = -1, slaveFd = -1]): Conversation<number> {
    if (!master) {
      const reopen = flags & (OPEN.accessMode | OPEN.nonBlocking | OPEN.append | OPEN.sync);
      const path = `self/fd/${slaveFd}`;
      const [fd = -1] = yield [call('openat', INIT_PROCFS_FD, path, reopen | OPEN.noControllingTerminal | OPEN.closeOnExec, 0)];
      return fd;
    }
    // Opening /dev/ptmx again would make another pty.
    const [fd = -1] = yield [call('fcntl', masterFd, FCNTL.duplicateCloseOnExec, 0)];
    yield [call('fcntl', fd, FCNTL.setFlags, flags & OPEN.nonBlocking)];
    return fd;
  },
});

/** A terminal of the image that controls a session, with a descriptor of its master. */
export interface ControllingTerminal {
  readonly leader: number;
  readonly number: number;
  readonly master: { readonly pid: number; readonly fd: number };
}

export function findControllingTerminals({ objects, descriptions, processes }: FilesImage): ControllingTerminal[] {
  return objects.flatMap(({ id, kind, state }) => {
    const { number, session } = kind === TERMINAL_KIND ? objectState.parse(state) : { number: 0, session: 0 };
    if (session === 0) return [];
    const master = descriptions.find((each) => each.object === id && descriptionState.parse(each.state).master);
    return processes
      .flatMap(({ pid, descriptors }) => {
        const held = descriptors.find(({ description }) => description === master?.id);
        return held === undefined ? [] : [{ leader: session, number, master: { pid, fd: held.fd } }];
      })
      .slice(0, 1);
  });
}
