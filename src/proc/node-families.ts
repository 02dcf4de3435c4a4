/** What one node knows of the families in its container; shared by the parts of the service. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Container, SharedPids } from '../container/index.ts';
import { isKorriganError } from '../linux/index.ts';
import type { z } from 'zod';
import type { CallDefinition, NodeId, RpcNode } from '../rpc/index.ts';
import { heldByPidfd } from './calls/pidfds.ts';
import { Directory } from './directory.ts';
import { HuskKeeper } from './husk-keeper.ts';
import type { Notice } from './messages.ts';
import type { MonitorEvent } from './monitor-events.ts';
import { Outbox } from './outbox.ts';
import { ContainerTable } from './process-table.ts';

/** How long a husk may be held by another thread. */
const HELD_MILLISECONDS = 10_000;
/** How long whoever asks for a pidfd may take until he has it. */
const REFERRED_MILLISECONDS = 10_000;
/** A process that is just being moved is asked again. */
const AGAIN_MILLISECONDS = 2;

export interface ProcServiceOptions {
  readonly rpc: RpcNode;
  readonly container: Container;
  /** Lane of the container for the monitor's thread. */
  readonly lane: number;
  /** Descriptor, in pid 1, of the write end of the husks' record pipe. */
  readonly recordPipe: number;
  /** Home node of a pid. */
  readonly homeOf: (pid: number) => NodeId;
  /** Where the pids of husks are kept, empty. */
  readonly husks: SharedPids;
  /** Does this node take part in the cluster, or can it? */
  readonly isLiving: (node: NodeId) => boolean;
  /** A process has ended because its node has died. */
  readonly onLost?: (pid: number) => void;
  readonly log: { warn(details: object, message: string): void };
}

export class NodeFamilies implements AsyncDisposable {
  readonly options: ProcServiceOptions;
  readonly keeper: HuskKeeper;
  readonly outbox: Outbox;
  readonly directory: Directory;
  readonly table: ContainerTable;
  /** Pids that have a husk here. */
  readonly present: Set<number>;
  /** Processes of other homes that run here. */
  readonly visitors = new Set<number>();
  /** Husks that are about to become processes, and processes that are about to become husks. */
  readonly arriving = new Set<number>();
  /** Processes that are being moved away: no signal is brought to them for now. */
  readonly leaving = new Set<number>();
  /** Husks that were told to end: their end is no news. */
  readonly ending = new Set<number>();
  /** Husks that have ended, or are about to, until they are collected. */
  readonly endedHusks = new Set<number>();
  /** Husks of which somebody may have a pidfd, so that they may be needed though they have no relatives here; until when they stay anyway. */
  private readonly referred = new Map<number, number>();
  /** What is being done about each process, one thing after the other. */
  private readonly queues = new Map<number, Promise<void>>();
  isClosed = false;

  /** @param onUndelivered see Outbox */
  constructor(options: ProcServiceOptions, onEvent: (event: MonitorEvent) => void, onUndelivered: (notice: Notice) => void) {
    const { rpc, container, lane, recordPipe } = options;
    this.options = options;
    this.present = options.husks;
    this.directory = new Directory(rpc.id);
    this.outbox = new Outbox(rpc, options.isLiving, onUndelivered);
    this.table = new ContainerTable(container.procfsPath);
    this.keeper = new HuskKeeper({ container, lane, recordPipe, onEvent });
  }

  /** This node. */
  get node(): NodeId {
    return this.options.rpc.id;
  }

  isHome(pid: number): boolean {
    return this.options.homeOf(pid) === this.node;
  }

  /** Has the node of its range died? See `claims`. */
  isHomeless(pid: number): boolean {
    return !this.options.isLiving(this.options.homeOf(pid));
  }

  /** What happened to a process of another home. */
  tellHome(pid: number, notice: Notice): void {
    const { homeOf, rpc } = this.options;
    if (!this.isHomeless(pid)) this.outbox.put(homeOf(pid), notice);
    else if (notice.kind !== 'dropped') for (const peer of rpc.peers) this.outbox.put(peer, notice);
  }

  /** The same as a call; returns when the home has answered or has died. */
  async callHome<Call extends CallDefinition<z.ZodType, z.ZodType>>(
    pid: number,
    call: Call,
    request: z.input<Call['request']>,
  ): Promise<void> {
    try {
      await this.options.rpc.call(this.options.homeOf(pid), call, request, this.once());
    } catch (error) {
      if (!this.isHomeless(pid)) throw error;
    }
  }

  /** Does the process itself run here, as far as its home and this node know? */
  runsHere(pid: number): boolean {
    return this.isHome(pid) ? !this.present.has(pid) && this.directory.nodeOf(pid) === this.node : this.visitors.has(pid);
  }

  /** A process, no husk. What runs here and there at once is being moved: undecided, or the other node has not heard of it yet. */
  isHere(pid: number): boolean {
    return !this.present.has(pid) && this.options.container.hostPidOf(pid) !== undefined;
  }

  /** Is it not known where this process runs? Its home has a husk of it, was started again, and no node has claimed it so far. */
  isUnclaimed(pid: number): boolean {
    return this.isHome(pid) && this.present.has(pid) && !this.arriving.has(pid) && this.directory.nodeOf(pid) === this.node;
  }

  get unclaimed(): number[] {
    return [...this.present].filter((pid) => this.isUnclaimed(pid));
  }

  /** The process of a husk has ended, and it does so, too. */
  endHusk(pid: number): void {
    this.ending.add(pid);
    this.endedHusks.add(pid);
  }

  /** Somebody is about to get a pidfd of a husk, or may have one. */
  refer(pid: number): void {
    this.referred.set(pid, performance.now() + REFERRED_MILLISECONDS);
  }

  /** The husks that have been referred to and of which somebody has a pidfd, or is about to; the other ones are forgotten. */
  stillReferred(): ReadonlySet<number> {
    const { referred, present, options } = this;
    if (referred.size === 0) return new Set();
    const byHostPid = new Map([...referred.keys()].map((pid) => [options.container.hostPidOf(pid) ?? 0, pid]));
    const holders = this.table.all().flatMap(({ pid }) => (present.has(pid) ? [] : (options.container.hostPidOf(pid) ?? [])));
    const held = heldByPidfd(byHostPid, holders);
    for (const [hostPid, pid] of byHostPid) {
      if (!held.has(hostPid) && (referred.get(pid) ?? 0) < performance.now()) referred.delete(pid);
    }
    return new Set(referred.keys());
  }

  /** After everything else that is being done about the process. Never throws. */
  inOrder(pid: number, action: () => Promise<void>): Promise<void> {
    const done = (this.queues.get(pid) ?? Promise.resolve()).then(action);
    const settled = done.catch((error: unknown) => this.complain(error, 'what happened to a process could not be followed'));
    this.queues.set(pid, settled);
    void settled.then(() => {
      if (this.queues.get(pid) === settled) this.queues.delete(pid);
    });
    return settled;
  }

  /** A moment later what is just being moved may have arrived. */
  async again(): Promise<void> {
    await delay(AGAIN_MILLISECONDS, undefined, { ref: false });
  }

  /** Another thread may still hold what has just become a husk. */
  async patiently<T>(action: () => Promise<T>): Promise<T> {
    for (const until = performance.now() + HELD_MILLISECONDS; ; await this.again()) {
      try {
        return await action();
      } catch (error) {
        const isHeld = isKorriganError(error, 'KRG_TRACED') || isKorriganError(error, 'KRG_PROCESS_BUSY');
        if (!isHeld || performance.now() > until || this.isClosed) throw error;
      }
    }
  }

  /** For a call that is carried out once, whatever becomes of the link. */
  once(): { idempotencyKey: string; acrossRestarts: true } {
    return { idempotencyKey: randomUUID(), acrossRestarts: true };
  }

  complain(error: unknown, message: string): void {
    if (!this.isClosed) this.options.log.warn({ err: error }, message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isClosed = true;
    this.outbox.close();
    await this.keeper[Symbol.asyncDispose]();
  }
}
