/**
 * Terminals whose master stays on the source, with the user. The session gets a fresh pty under the target's kernel, which echoes, edits
 * lines and makes signals; its master is the target daemon's. Coming home the session gets its own terminal back, which its husk never left.
 */
import { z } from 'zod';
import { type CaptureContext, defineKind, type Kind, type ObjectKind, type OpenFile, Refusal } from '../../fs/index.ts';
import {
  call,
  type Conversation,
  FILE_TYPE,
  INIT_PROCFS_FD,
  KorriganError,
  OPEN,
  ptyOf,
  readStat,
  TERMINAL,
  TTY,
} from '../../linux/index.ts';
import { relayStateSchema } from '../relay-protocol.ts';
import type { RelayHome, RelaySource } from './relayed.ts';
import { openMaster } from './open-master.ts';
import { byLeader, controlState, type ControlState, openSlave, usePair } from './session-terminal.ts';
import { isMaster, isSlave, numberOf } from './terminal.ts';
import { isCanonical, peekTypedLine, typeLine } from './typed-line.ts';

export const RELAYED_TERMINAL = 'relayed-terminal';
const INIT = 1;
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const objectState = controlState.extend({
  relay: relayStateSchema,
  number: z.number(),
  attributes: bytes,
  windowSize: bytes,
  typed: bytes,
  uid: z.number(),
  gid: z.number(),
  mode: z.number(),
});
type ObjectState = z.infer<typeof objectState>;
export function relayedTerminalKind(relays: RelaySource | undefined, home: RelayHome | undefined): Kind {
  const object: ObjectKind<ObjectState> = {
    schema: objectState,
    key: (file, context) => String(numberOf(file, context)),
    *capture(files, context) {
      const slave = files.find(isSlave);
      if (slave === undefined || relays === undefined) throw new Refusal('terminal.outside', 'only /dev/tty is open of the terminal');
      return yield* capture(slave, relays, context);
    },
    make: byLeader,
    *restore(state, context): Conversation<readonly number[]> {
      if (state.relay.home === home?.node) {
        const original = home.comeHome(state.relay, 0);
        if (original === undefined) throw new KorriganError('KRG_PROCESS_BUSY', 'the terminal does not take the last output; try again');
        yield [call('ioctl', original, TERMINAL.setAttributes, state.attributes)];
        yield* typeLine(original, state.typed, state.attributes);
        return [original, original];
      }
      return yield* makeTerminal(state, yield* usePair(state, context));
    },
  };
  return defineKind<null, ObjectState>({
    name: RELAYED_TERMINAL,
    schema: z.null(),
    object,
    matches: (file, context) =>
      relays !== undefined &&
      (file.status.mode & FILE_TYPE.mask) === FILE_TYPE.characterDevice &&
      (file.flags & OPEN.path) === 0 &&
      isSlave(file) &&
      !context.files.some((other) => isMaster(other) && numberOf(other, context) === numberOf(file, context)),
    // oxlint-disable-next-line require-yield
    *capture() {
      return null;
    },
    *restore(_state, { flags }, [, slave = -1]): Conversation<number> {
      const reopen = flags & (OPEN.accessMode | OPEN.nonBlocking | OPEN.append | OPEN.sync);
      const path = `self/fd/${slave}`;
      const [fd = -1] = yield [call('openat', INIT_PROCFS_FD, path, reopen | OPEN.noControllingTerminal | OPEN.closeOnExec, 0)];
      return fd;
    },
    outcome: () => ({ outcome: 'relayed', code: 'terminal.relayed', reason: 'its user stays on this node' }),
  });
}

function* capture(slave: OpenFile, relays: RelaySource, context: CaptureContext): Conversation<ObjectState> {
  const number = numberOf(slave, context) ?? -1;
  const stranger = context.outside(slave).target.find(({ hostPid }) => context.pidInside(hostPid) !== INIT);
  if (stranger !== undefined) {
    throw new Refusal(
      'terminal.outside',
      `${slave.link} is also open in process ${context.pidInside(stranger.hostPid)}, which stays; move both together (--tree)`,
    );
  }
  const attributes = new Uint8Array(TERMINAL.attributesSize);
  const windowSize = new Uint8Array(TERMINAL.windowSize);
  yield [call('ioctl', slave.fd, TERMINAL.getAttributes, attributes), call('ioctl', slave.fd, TTY.getWindowSize, windowSize)];
  const { uid, gid, mode } = slave.status;
  const common = { number, attributes, windowSize, uid, gid, mode: mode & 0o7777, ...controlledBy(number, context) };
  const fresh = { home: relays.node, direction: 'both', epoch: 1, sent: { start: 0, bytes: new Uint8Array() }, received: 0 } as const;
  const known = relays.known.find(({ terminal }) => terminal === number);
  if (!context.contents) return { ...common, relay: { ...fresh, id: '' }, typed: new Uint8Array() };
  // What was typed at home and not read stays there and comes through the relay.
  if (known === undefined) return { ...common, relay: { ...fresh, id: relays.begin('both', slave) }, typed: new Uint8Array() };
  const relay = relays.stop(known.id);
  if (relay === undefined) throw new KorriganError('KRG_PROCESS_BUSY', `the master of ${slave.link} has just been closed; try again`);
  const waiting = new Int32Array(1);
  yield [call('ioctl', slave.fd, TERMINAL.bytesToRead, new Uint8Array(waiting.buffer))];
  if (waiting[0] !== 0) throw new KorriganError('KRG_PROCESS_BUSY', `${slave.link} has input that was not read yet; try again`);
  const typed = isCanonical(attributes) ? yield* peekTypedLine(slave.fd, attributes) : new Uint8Array();
  return { ...common, relay: { ...relay, epoch: relay.epoch + 1 }, typed };
}

/** By one who moves and has it: without its master the terminal itself cannot be asked. */
function controlledBy(number: number, context: CaptureContext): ControlState {
  for (const { hostPid } of context.processes) {
    const stat = readStat(hostPid);
    if (stat === undefined || ptyOf(stat.terminal) !== number) continue;
    const [session, foregroundGroup] = [stat.session, stat.terminalGroup].map((pid) => context.pidInside(Math.max(pid, 0)));
    return { session: session ?? 0, foregroundGroup: foregroundGroup ?? 0 };
  }
  return { session: 0, foregroundGroup: 0 };
}

/** Under the same number where it is free. @param pair that controls the session already */
function* makeTerminal(state: ObjectState, pair: readonly number[] = []): Conversation<[number, number]> {
  const [taken, there] = pair;
  const master = taken ?? (yield* openMaster(state.number, true));
  const number = new Int32Array(1);
  yield [call('ioctl', master, TTY.setLock, new Uint8Array(4)), call('ioctl', master, TTY.getNumber, new Uint8Array(number.buffer))];
  const slave = there ?? (yield [openSlave(number[0] ?? 0)])[0] ?? -1;
  yield [
    call('ioctl', slave, TERMINAL.setAttributes, state.attributes),
    call('ioctl', master, TTY.setWindowSize, state.windowSize),
    call('fchown', slave, state.uid, state.gid),
    call('fchmod', slave, state.mode),
  ];
  yield* typeLine(slave, state.typed, state.attributes);
  return [master, slave];
}
