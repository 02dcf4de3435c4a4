/** The relays of a node, on the daemon's main thread: those whose process is here, and those whose process has left this node, their home. */
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import type { Container } from '../container/index.ts';
import { isKorriganError, KorriganError, syscall, TERMINAL, TTY, trySyscall } from '../linux/index.ts';
import type { RpcNode } from '../rpc/index.ts';
import type { RelaySource } from './kinds/relayed.ts';
import { RelayEnd } from './relay-end.ts';
import { type ArrivedRelay, type KnownRelay, type RelayDirection, type RelayState, relayStream } from './relay-protocol.ts';

export interface RelayServiceOptions {
  readonly rpc: RpcNode;
  readonly container: Container;
  readonly log: { warn(details: object, message: string): void };
}

/** A stream that is about to get a relay: this node is its home. */
export interface NewRelay {
  readonly id: string;
  readonly direction: RelayDirection;
  /** Descriptor of pid 1: the process's own description. */
  readonly descriptor: number;
}

interface HomeRelay extends NewRelay {
  readonly end: RelayEnd;
  epoch: number;
  /** Of a terminal that comes home: what was typed and must be typed again. */
  untyped: Uint8Array;
}

interface LocalRelay extends ArrivedRelay {
  readonly end: RelayEnd;
  readonly inode: number;
  readonly terminal: number | undefined;
  /** Aborted when it is to be attached no more. */
  attachment: AbortController;
}

/** What a migration that is not decided has changed. */
interface Undecided {
  readonly begun: HomeRelay[];
  readonly stopped: LocalRelay[];
  readonly returning: HomeRelay[];
}

const RETRY_MILLISECONDS = 200;
const F_SETFL = 4;
/** TIOCSTI: as if it had been typed. */
const TYPE_BYTE = 0x5412;
/** struct termios2: c_iflag, c_oflag, c_cflag, c_lflag, c_line, c_cc. */
const LOCAL_FLAGS = 12;
const [TIME, MINIMUM] = [17 + 5, 17 + 6];

/** As cfmakeraw(3), but for the character size. */
function rawAttributes(attributes: Uint8Array): Uint8Array {
  const raw = attributes.slice();
  raw.fill(0, 0, 8);
  raw.fill(0, LOCAL_FLAGS, LOCAL_FLAGS + 4);
  raw[TIME] = 0;
  raw[MINIMUM] = 1;
  return raw;
}

export class RelayService implements Disposable {
  private readonly options: RelayServiceOptions;
  private readonly homes = new Map<string, HomeRelay>();
  private readonly local = new Map<string, LocalRelay>();
  private readonly undecided = new Map<string, Undecided>();

  constructor(options: RelayServiceOptions) {
    this.options = options;
    options.rpc.handleStream(relayStream, async ({ id, epoch, received }, stream) => {
      const home = this.homes.get(id);
      if (home === undefined || epoch < home.epoch) throw new KorriganError('KRG_NO_SUCH_STREAM', `stream ${id} has no such end here`);
      home.epoch = epoch;
      await home.end.converse(stream, received);
    });
  }

  /** Relays whose process is here. */
  get known(): KnownRelay[] {
    return [...this.local.values()].map(({ state: { id, home, direction }, inode, terminal, descriptor }) => ({
      id,
      home,
      direction,
      inode,
      terminal,
      descriptor,
    }));
  }

  /** For looking at files without touching them. */
  get examination(): RelaySource {
    const refuse = (): never => {
      throw new RangeError('nothing is changed by an examination');
    };
    return { node: this.options.rpc.id, known: this.known, begin: refuse, stop: refuse };
  }

  /** A process that is frozen leaves this node, the home of the stream. Nothing flows before {@link RelayService.committed}. */
  begin(migration: string, relay: NewRelay): void {
    const { id, direction, descriptor } = relay;
    const end = this.newEnd(descriptor, direction, 'home', { start: 0, bytes: new Uint8Array() }, 0, () => {
      this.homes.delete(id);
      this.options.container.closeDescriptor(descriptor);
    });
    const home = { ...relay, end, epoch: 0, untyped: new Uint8Array() };
    this.homes.set(id, home);
    this.changesOf(migration).begun.push(home);
  }

  /** A process that is frozen takes its relay along. @returns where the relay stands, or undefined when it has just ended */
  stop(migration: string, id: string): RelayState | undefined {
    const relay = this.local.get(id);
    if (relay === undefined) return undefined;
    this.changesOf(migration).stopped.push(relay);
    relay.attachment.abort();
    relay.end.stop();
    if (relay.terminal !== undefined) this.drainTerminal(relay);
    return { ...relay.state, ...relay.end.stop() };
  }

  /**
   * A process that is being restored here comes home. What is under way towards the staying end is brought there.
   * @param waiting bytes that the process has not read yet
   * @returns the descriptor, in pid 1, of the original end when nothing stands between it and the process any more; undefined when
   * the stream must be relayed still, within this node
   */
  comeHome(migration: string, state: RelayState, waiting: number): number | undefined {
    const home = this.homes.get(state.id);
    if (home === undefined) return undefined;
    const { sent, received } = home.end.stop();
    const isThrough =
      home.direction === 'from-home'
        ? sent.start + sent.bytes.length === state.received && waiting === 0
        : this.bringHome(home, state, received);
    if (isThrough) {
      this.changesOf(migration).returning.push(home);
      home.untyped = sent.bytes.subarray(state.received - sent.start);
      return home.descriptor;
    }
    this.startHome(home);
    return undefined;
  }

  /** Writes what the home does not have yet. @returns whether the pipe has taken all of it */
  private bringHome({ descriptor, direction, end }: HomeRelay, { sent }: RelayState, received: number): boolean {
    const fd = direction === 'both' ? this.openTerminal(descriptor, 'home') : this.openPipe(descriptor, 'write');
    if (fd === undefined) return true; // nobody reads it: the process will see that by itself
    let left = sent.bytes.subarray(received - sent.start);
    try {
      while (left.length > 0) left = left.subarray(writeSync(fd, left));
    } catch (error) {
      if (!['EAGAIN', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    } finally {
      closeSync(fd);
      end.skipTo(sent.start + sent.bytes.length - left.length);
    }
    return left.length === 0;
  }

  /** The processes run on the target. */
  committed(migration: string): void {
    const { begun, stopped } = this.decide(migration);
    for (const home of begun) this.startHome(home);
    for (const relay of stopped) this.forget(relay); // its attachment has ended when it was stopped
  }

  /** The processes go on here. */
  aborted(migration: string): void {
    const { begun, stopped } = this.decide(migration);
    for (const { id, end, descriptor } of begun) {
      end.stop();
      this.homes.delete(id);
      this.options.container.closeDescriptor(descriptor);
    }
    for (const relay of stopped) this.run(relay);
  }

  /** What the target's part of a migration has changed is valid if the processes run here now. */
  decided(migration: string, runsHere: boolean): void {
    for (const home of this.decide(migration).returning) {
      const { id, descriptor } = home;
      if (runsHere) {
        if (home.direction === 'both') this.typeAgain(home, home.untyped);
        this.homes.delete(id);
        this.options.container.closeDescriptor(descriptor);
      } else {
        this.startHome(home);
      }
    }
  }

  /** Relays have come with processes that run here now. */
  arrived(relays: readonly ArrivedRelay[]): void {
    for (const { state, descriptor } of relays) {
      const { id, direction, sent, received } = state;
      const end = this.newEnd(descriptor, direction, 'away', sent, received, () => {
        const ended = this.local.get(id);
        if (ended !== undefined) this.forget(ended);
      });
      const here = this.options.container.takeDescriptor(descriptor);
      const inode = fstatSync(here).ino;
      const number = new Int32Array(1);
      const isTerminal = trySyscall('ioctl', here, TTY.getNumber, new Uint8Array(number.buffer)) === 0;
      closeSync(here);
      const terminal = isTerminal ? number[0] : undefined;
      const relay = { state, descriptor, inode, terminal, end, attachment: new AbortController() };
      this.local.set(id, relay);
      this.run(relay);
    }
  }

  [Symbol.dispose](): void {
    for (const { end, attachment } of this.local.values()) {
      attachment.abort();
      end.stop();
    }
    for (const { end } of this.homes.values()) end.stop();
  }

  private newEnd(
    descriptor: number,
    direction: RelayDirection,
    side: 'home' | 'away',
    sent: RelayState['sent'],
    received: number,
    over: () => void,
  ): RelayEnd {
    const towards = side === 'home' ? 'to-home' : 'from-home';
    const [writes, reads] = direction === 'both' ? [true, true] : [direction === towards, direction !== towards];
    const terminal = direction === 'both' ? side : undefined;
    const open = (mode: 'read' | 'write'): number | undefined =>
      terminal === undefined ? this.openPipe(descriptor, mode) : this.openTerminal(descriptor, terminal);
    return new RelayEnd({ reads, writes, sent, received, over, terminal, open });
  }

  /** A description of its own: the process's must keep its flags. */
  private openPipe(descriptor: number, mode: 'read' | 'write'): number | undefined {
    const here = this.options.container.takeDescriptor(descriptor);
    try {
      const access = mode === 'read' ? constants.O_RDONLY : constants.O_WRONLY;
      return openSync(`/proc/self/fd/${here}`, access | constants.O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENXIO') return undefined; // no readers
      throw error;
    } finally {
      closeSync(here);
    }
  }

  /** The slave at home is opened anew, so that the process's descriptions keep their flags; a master has no other way. */
  private openTerminal(descriptor: number, side: 'home' | 'away'): number {
    const here = this.options.container.takeDescriptor(descriptor);
    if (side === 'away') {
      syscall('fcntl', here, F_SETFL, constants.O_RDWR | constants.O_NONBLOCK);
      return here;
    }
    try {
      return openSync(`/proc/self/fd/${here}`, constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOCTTY);
    } finally {
      closeSync(here);
    }
  }

  /** What the processes have written to their terminal and nobody has read: they are frozen, so this is all. */
  private drainTerminal({ end, descriptor }: LocalRelay): void {
    const fd = this.openTerminal(descriptor, 'away');
    try {
      for (;;) {
        const buffer = new Uint8Array(4096);
        end.add(buffer.subarray(0, readSync(fd, buffer)));
      }
    } catch (error) {
      if (!['EAGAIN', 'EIO'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    } finally {
      closeSync(fd);
    }
  }

  /** At home the terminal only passes bytes on: it is the process's that echoes, edits lines and makes signals of them. */
  private startHome({ end, direction, descriptor }: HomeRelay): void {
    if (direction === 'both') {
      const fd = this.openTerminal(descriptor, 'home');
      const attributes = new Uint8Array(TERMINAL.attributesSize);
      trySyscall('ioctl', fd, TERMINAL.getAttributes, attributes);
      trySyscall('ioctl', fd, TERMINAL.setAttributes, rawAttributes(attributes));
      closeSync(fd);
    }
    end.start();
  }

  /** Types what the user has typed and the process has not got. */
  private typeAgain({ descriptor }: HomeRelay, bytes: Uint8Array): void {
    const fd = this.openTerminal(descriptor, 'home');
    for (const byte of bytes) trySyscall('ioctl', fd, TYPE_BYTE, Uint8Array.of(byte));
    closeSync(fd);
  }

  private run(relay: LocalRelay): void {
    relay.attachment = new AbortController();
    relay.end.start();
    this.stayAttached(relay).catch((error: unknown) => this.options.log.warn({ relay: relay.state.id, error }, 'a relay has failed'));
  }

  /** Attaches to the home, again and again when the link is lost, while the relay is this node's. */
  private async stayAttached(relay: LocalRelay): Promise<void> {
    const { state, end } = relay;
    const { signal } = relay.attachment;
    while (!signal.aborted && !end.isOver) {
      try {
        const request = { id: state.id, epoch: state.epoch, received: end.received };
        await end.converse(await this.options.rpc.openStream(state.home, relayStream, request, { signal }));
      } catch (error) {
        if (isKorriganError(error, 'KRG_NO_SUCH_STREAM')) {
          end.abandon();
          return;
        }
        if (!(error instanceof KorriganError)) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS));
    }
  }

  private forget(relay: LocalRelay): void {
    if (this.local.get(relay.state.id) !== relay) return;
    this.local.delete(relay.state.id);
    this.options.container.closeDescriptor(relay.descriptor);
  }

  private changesOf(migration: string): Undecided {
    let changes = this.undecided.get(migration);
    if (changes === undefined) this.undecided.set(migration, (changes = { begun: [], stopped: [], returning: [] }));
    return changes;
  }

  private decide(migration: string): Undecided {
    const changes = this.undecided.get(migration) ?? { begun: [], stopped: [], returning: [] };
    this.undecided.delete(migration);
    return changes;
  }
}
