/** The relays of a node, on the daemon's main thread: those whose process is here, and those whose process has left this node, their home. */
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import type { Container } from '../container/index.ts';
import { isKorriganError, KorriganError } from '../linux/errors.ts';
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
}

interface LocalRelay extends ArrivedRelay {
  readonly end: RelayEnd;
  readonly inode: number;
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
    return [...this.local.values()].map(({ state: { id, home, direction }, inode, descriptor }) => ({ id, home, direction, inode, descriptor }));
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
    const end = this.newEnd(descriptor, direction === 'from-home', direction === 'to-home', { start: 0, bytes: new Uint8Array() }, 0, () => {
      this.homes.delete(id);
      this.options.container.closeDescriptor(descriptor);
    });
    const home = { ...relay, end, epoch: 0 };
    this.homes.set(id, home);
    this.changesOf(migration).begun.push(home);
  }

  /** A process that is frozen takes its relay along. @returns where the relay stands, or undefined when it has just ended */
  stop(migration: string, id: string): RelayState | undefined {
    const relay = this.local.get(id);
    if (relay === undefined) return undefined;
    this.changesOf(migration).stopped.push(relay);
    relay.attachment.abort();
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
      home.direction === 'to-home' ? this.bringHome(home, state, received) : sent.start + sent.bytes.length === state.received && waiting === 0;
    if (isThrough) {
      this.changesOf(migration).returning.push(home);
      return home.descriptor;
    }
    home.end.start();
    return undefined;
  }

  /** Writes what the home does not have yet. @returns whether the pipe has taken all of it */
  private bringHome({ descriptor, end }: HomeRelay, { sent }: RelayState, received: number): boolean {
    const fd = this.openPipe(descriptor, 'write');
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
    for (const { end } of begun) end.start();
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
    for (const { id, end, descriptor } of this.decide(migration).returning) {
      if (runsHere) {
        this.homes.delete(id);
        this.options.container.closeDescriptor(descriptor);
      } else {
        end.start();
      }
    }
  }

  /** Relays have come with processes that run here now. */
  arrived(relays: readonly ArrivedRelay[]): void {
    for (const { state, descriptor } of relays) {
      const { id, direction, sent, received } = state;
      const end = this.newEnd(descriptor, direction === 'to-home', direction === 'from-home', sent, received, () => {
        const ended = this.local.get(id);
        if (ended !== undefined) this.forget(ended);
      });
      const here = this.options.container.takeDescriptor(descriptor);
      const inode = fstatSync(here).ino;
      closeSync(here);
      const relay = { state, descriptor, inode, end, attachment: new AbortController() };
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
    reads: boolean,
    writes: boolean,
    sent: RelayState['sent'],
    received: number,
    over: () => void,
  ): RelayEnd {
    return new RelayEnd({ reads, writes, sent, received, over, open: (mode) => this.openPipe(descriptor, mode) });
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
