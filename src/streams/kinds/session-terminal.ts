/**
 * The terminal that controls a session. Only the leader can take one, and a process has it only if it was born into the session afterwards
 * (fork(2) copies it, drivers/tty/tty_jobctrl.c): so it is there before the husks of the members are, and stays as long as they do. The leader's husk
 * keeps the pair open, while the terminal itself is elsewhere or not here yet.
 */
import { z } from 'zod';
import { AT_FDCWD, attempt, call, type Conversation, FCNTL, KorriganError, OPEN, resultOf, TERMINAL, TTY } from '../../linux/index.ts';
import type { RestoreContext } from '../../fs/index.ts';
import { openMaster } from './open-master.ts';

/** Under which the husk of a session's leader keeps the pair. */
export const KEPT_TERMINAL = { master: 1, slave: 2 } as const;

/** The session that a terminal controls and that session's foreground group, inside the container; 0 when none. */
export const controlState = z.object({ session: z.number(), foregroundGroup: z.number() });
export type ControlState = z.infer<typeof controlState>;

/** A pair that pid 1 holds for the husk of a leader. */
export const keptTerminalSchema = z.object({ leader: z.number(), master: z.number(), slave: z.number() });
export type KeptTerminal = z.infer<typeof keptTerminalSchema>;

/** Runs in the husk of a leader, with nothing open but 0: a new terminal controls its session. @param number by preference */
export function* takeNewTerminal(number: number): Conversation<void> {
  const master = yield* openMaster(number, true);
  if (master !== KEPT_TERMINAL.master) yield [call('dup3', master, KEPT_TERMINAL.master, OPEN.closeOnExec), call('close', master)];
  const got = new Int32Array(1);
  yield [
    call('ioctl', KEPT_TERMINAL.master, TTY.getNumber, new Uint8Array(got.buffer)),
    call('ioctl', KEPT_TERMINAL.master, TTY.setLock, new Uint8Array(4)),
  ];
  const [slave = -1] = yield [openSlave(got[0] ?? 0)];
  if (slave !== KEPT_TERMINAL.slave) throw new KorriganError('KRG_INTERNAL', `a husk has more open than it should: ${slave}`);
  yield [call('ioctl', slave, TTY.setControllingTerminal, 0)];
}

export function openSlave(number: number): ReturnType<typeof call> {
  return call('openat', AT_FDCWD, `/dev/pts/${number}`, OPEN.readWrite | OPEN.noControllingTerminal | OPEN.closeOnExec, 0);
}

/**
 * Has the leader, which arrives, give its session the foreground group.
 * @see ObjectKind.make
 */
export const byLeader = {
  by: ({ session }: ControlState): number => session,
  *run({ session, foregroundGroup }: ControlState): Conversation<readonly number[]> {
    const [pid = 0, terminal = -1] = yield [
      call('getpid'),
      attempt('openat', AT_FDCWD, '/dev/tty', OPEN.readWrite | OPEN.noControllingTerminal | OPEN.closeOnExec, 0),
    ];
    if (terminal < 0) return [];
    const group = new Uint8Array(Int32Array.of(foregroundGroup).buffer);
    // A group that has ended has no members that could miss it.
    yield [...(pid === session ? [attempt('ioctl', terminal, TERMINAL.setForegroundGroup, group)] : []), call('close', terminal)];
    return [];
  },
};

/** What the husk of the leader has got, or kept. @returns descriptors of pid 1, of the caller's own; undefined when there is nothing */
export function* usePair({ session }: ControlState, { kept }: RestoreContext): Conversation<[number, number] | undefined> {
  const pair = kept.get(session);
  if (pair === undefined) return undefined;
  const [master = -1, slave = -1] = yield pair.map((fd) => call('fcntl', fd, FCNTL.duplicateCloseOnExec, 0));
  return [master, slave];
}

/** Takes both ends of a terminal into the process where this runs, pid 1. @param master a descriptor of a process that is frozen */
export function* keepPair(leader: number, master: { pid: number; fd: number }, number: number): Conversation<KeptTerminal> {
  const [, own = -1] = yield [
    call('pidfd_open', master.pid, 0),
    call('pidfd_getfd', resultOf(0), master.fd, 0),
    call('close', resultOf(0)),
  ];
  const locked = new Int32Array(1);
  yield [call('ioctl', own, TERMINAL.getLock, new Uint8Array(locked.buffer)), call('ioctl', own, TTY.setLock, new Uint8Array(4))];
  const [slave = -1] = yield [openSlave(number), call('ioctl', own, TTY.setLock, new Uint8Array(locked.buffer))];
  return { leader, master: own, slave };
}

/** The same of the husk that keeps it. @returns undefined when it keeps none */
export function* takePair(leader: number): Conversation<KeptTerminal | undefined> {
  const [, master = -1, slave = -1] = yield [
    call('pidfd_open', leader, 0),
    attempt('pidfd_getfd', resultOf(0), KEPT_TERMINAL.master, 0),
    attempt('pidfd_getfd', resultOf(0), KEPT_TERMINAL.slave, 0),
    call('close', resultOf(0)),
  ];
  if (master >= 0 && slave >= 0) return { leader, master, slave };
  const open = [master, slave].filter((fd) => fd >= 0);
  if (open.length > 0) yield open.map((fd) => call('close', fd));
  return undefined;
}

export function* closePairs(pairs: readonly KeptTerminal[]): Conversation<void> {
  const fds = pairs.flatMap(({ master, slave }) => [slave, master]);
  if (fds.length > 0) yield fds.map((fd) => attempt('close', fd));
}

/** Runs in pid 1, which leads a session without a terminal: the pair goes, and no session hears of it (ioctl_tty(2), TIOCSCTTY with 1). */
export function* dropPairs(pairs: readonly KeptTerminal[]): Conversation<void> {
  for (const pair of pairs) {
    yield [attempt('ioctl', pair.slave, TTY.setControllingTerminal, 1)];
    yield* closePairs([pair]);
  }
}
