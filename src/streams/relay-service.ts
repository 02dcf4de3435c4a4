/**
 * The relays of a node, on the daemon's main thread: those whose process is here, and those whose process has left this node, their home.
 * All that they are stands in their slots, with what a migration that is not decided has done to them; the next daemon finds it there.
 */
import type { NodeId, RpcNode } from '../rpc/index.ts';
import { KorriganError } from '../linux/index.ts';
import { AwayRelay } from './away-relay.ts';
import { HomeRelay } from './home-relay.ts';
import type { RelaySource } from './kinds/relayed.ts';
import {
  type ArrivedRelay,
  awayNote,
  homeNote,
  type KnownRelay,
  type RelayDirection,
  type RelayState,
  relayStream,
} from './relay-protocol.ts';
import type { StreamSlot } from './slot.ts';
import type { Streams } from './streams.ts';

/** Within this time a process that has moved attaches to the homes of its streams. */
const MOVED_ON_MILLISECONDS = 2000;

export interface RelayServiceOptions {
  readonly rpc: RpcNode;
  readonly streams: Streams;
  /** Does the node take part in the cluster? */
  readonly isLiving: (node: NodeId) => boolean;
  readonly log: { warn(details: object, message: string): void };
}

/** A stream that is about to get a relay: this node is its home. */
export interface NewRelay {
  readonly id: string;
  readonly direction: RelayDirection;
  /** Who has it, in the container. */
  readonly pid: number;
  readonly fd: number;
}

export class RelayService implements Disposable {
  private readonly options: RelayServiceOptions;
  private readonly homes = new Map<string, HomeRelay>();
  /** By slot: a relay that leaves a node may be on its way back to it already. */
  private readonly away = new Map<number, AwayRelay>();

  constructor(options: RelayServiceOptions) {
    this.options = options;
    this.recover();
    options.rpc.handleStream(relayStream, async ({ id, epoch, written }, stream) => {
      const home = this.homes.get(id);
      if (home === undefined || epoch < home.epoch) throw new KorriganError('KRG_NO_SUCH_STREAM', `stream ${id} has no such end here`);
      await home.converse(stream, stream.peer, epoch, written);
    });
  }

  /** Relays whose process is here. */
  get known(): KnownRelay[] {
    return [...this.away.values()].filter(({ change }) => change === undefined).map(({ known }) => known);
  }

  /** For looking at files without touching them. */
  get examination(): RelaySource {
    const refuse = (): never => {
      throw new RangeError('nothing is changed by an examination');
    };
    return { node: this.options.rpc.id, known: this.known, begin: refuse, stop: refuse };
  }

  /** A process that is frozen leaves this node, the home of the stream. Nothing flows before {@link RelayService.committed}. */
  begin(migration: string, { id, direction, pid, fd }: NewRelay): void {
    const note = { kind: 'relay-home', id, direction, epoch: 0, migration, change: 'begun' } as const;
    const slot = this.options.streams.allocate(note);
    try {
      slot.keep('original', pid, fd);
    } catch (error) {
      slot.free();
      throw error;
    }
    this.homes.set(id, new HomeRelay(this.options.streams, slot, note, () => this.homes.delete(id)));
  }

  /** A process that is frozen takes its relay along. @returns where the relay stands, or undefined when it has just ended */
  stop(migration: string, id: string): RelayState | undefined {
    return [...this.away.values()].find((relay) => relay.id === id && relay.change === undefined)?.stop(migration);
  }

  /**
   * A process that is being restored here comes home. What is under way towards the staying end is brought there.
   * @param waiting bytes that the process has not read yet
   * @returns the descriptor, in pid 1, of the original end when nothing stands between it and the process any more; undefined when
   * the stream must be relayed still, within this node
   */
  comeHome(migration: string, state: RelayState, waiting: number): number | undefined {
    const home = this.homes.get(state.id);
    return home?.comeHome(migration, state, waiting) === true ? home.original : undefined;
  }

  /** Relays have come with processes that are being restored here; their descriptors are this service's from now on. */
  arriving(migration: string, relays: readonly ArrivedRelay[]): void {
    const left = [...relays];
    try {
      for (let relay = left[0]; relay !== undefined; relay = left[0]) {
        const { id, home, direction, epoch, sent, received } = relay.state;
        const note = { kind: 'relay-away', id, home, direction, epoch, migration, change: 'arriving' } as const;
        const slot = this.options.streams.allocate(note);
        slot.adopt(direction === 'from-home' ? 'sink' : 'source', relay.descriptor);
        left.shift();
        slot.continueFrom({ confirmed: sent.start, unconfirmed: sent.bytes, written: received });
        this.addAway(slot, note);
      }
    } finally {
      for (const { descriptor } of left) this.options.streams.container.closeDescriptor(descriptor);
    }
  }

  /** The processes run on the target. */
  committed(migration: string, target: NodeId): void {
    for (const home of this.homesIn(migration, 'begun')) home.left(target);
    for (const relay of this.awayIn(migration, 'stopped')) relay.over();
  }

  /** The processes go on here. */
  aborted(migration: string): void {
    for (const home of this.homesIn(migration, 'begun')) home.over();
    for (const relay of this.awayIn(migration, 'stopped')) relay.run();
  }

  /** What the target's part of a migration has changed is valid if the processes run here now. */
  decided(migration: string, runsHere: boolean): void {
    for (const home of this.homesIn(migration, 'returning')) {
      if (runsHere) home.returned();
      else home.start();
    }
    for (const relay of this.awayIn(migration, 'arriving')) {
      if (runsHere) relay.run();
      else relay.over();
    }
  }

  /** Other nodes take part than before: a stream whose process was lost with its node ends. */
  membersChanged(): void {
    const isLost = ({ place, change }: HomeRelay): boolean => change === undefined && place !== undefined && !this.options.isLiving(place);
    const lost = [...this.homes.values()].filter(isLost);
    if (lost.length === 0) return;
    // It may just have moved on before its node died.
    setTimeout(() => {
      for (const home of lost) if (isLost(home) && this.homes.get(home.id) === home) home.over();
    }, MOVED_ON_MILLISECONDS).unref();
  }

  /** Of an earlier daemon: what no migration will decide any more is as if it had not begun. @param known migrations that are to be decided */
  settleAllBut(known: ReadonlySet<string>): void {
    const undecided = [...this.homes.values(), ...this.away.values()].flatMap(({ migration }) => migration ?? []);
    for (const migration of new Set(undecided)) {
      if (known.has(migration)) continue;
      this.aborted(migration);
      this.decided(migration, false);
    }
  }

  [Symbol.dispose](): void {
    for (const relay of this.away.values()) relay.release();
    for (const home of this.homes.values()) home.stop();
  }

  private recover(): void {
    for (const slot of this.options.streams.used()) {
      const home = homeNote.safeParse(slot.note).data;
      const away = awayNote.safeParse(slot.note).data;
      if (home !== undefined && !slot.has('original')) slot.free();
      else if (home !== undefined) {
        const relay = new HomeRelay(this.options.streams, slot, home, () => this.homes.delete(home.id));
        this.homes.set(home.id, relay);
        if (home.change === undefined) relay.start();
      } else if (away !== undefined && !slot.has('source') && !slot.has('sink')) slot.free();
      else if (away !== undefined) {
        const relay = this.addAway(slot, away);
        if (away.change === undefined) relay.run();
      }
    }
  }

  private addAway(slot: StreamSlot, note: ReturnType<typeof awayNote.parse>): AwayRelay {
    const onFault = (error: unknown): void => this.options.log.warn({ relay: note.id, error }, 'a relay has failed');
    const relay = new AwayRelay({ ...this.options, onFault, onOver: () => this.away.delete(slot.index) }, slot, note);
    this.away.set(slot.index, relay);
    return relay;
  }

  private homesIn(migration: string, change: 'begun' | 'returning'): HomeRelay[] {
    return [...this.homes.values()].filter((home) => home.migration === migration && home.change === change);
  }

  private awayIn(migration: string, change: 'stopped' | 'arriving'): AwayRelay[] {
    return [...this.away.values()].filter((relay) => relay.migration === migration && relay.change === change);
  }
}
