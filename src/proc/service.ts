/**
 * Where processes are, and what is told between the nodes about those that moved. The home of a process is the node whose range its pid
 * is from: it keeps the husk as long as the process lives and always knows where the process runs.
 */
import { z } from 'zod';
import { KorriganError, trySyscall } from '../linux/index.ts';
import { defineCall, defineNotice, type NodeId, type RpcNode } from '../rpc/index.ts';
import { isForwarded, RecordReader, signalNumber } from './records.ts';

const pid = z.number().int().positive();
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const SIGKILL = 9;
/** How often processes that arrived below another one are asked whether they still live. */
const WATCH_MILLISECONDS = 50;

/** To the home: the process runs on `node` from now on. */
const moved = defineCall('proc.moved', z.object({ pid, node: z.number() }), z.object({}));
/** To the home: the process ended. */
const ended = defineCall('proc.ended', z.object({ pid, status: z.number() }), z.object({}));
/** To the node where the process runs: a signal that reached its husk. */
const signalled = defineNotice('proc.signalled', z.object({ pid, information: bytes }));
const locateCall = defineCall('proc.locate', z.object({ pid }), z.object({ node: z.number() }));

const runsHere = defineCall('proc.runs-here', z.object({ pid }), z.object({ runs: z.boolean() }));

/** What the service has done in a ghost worker, where ptrace is at home. */
export interface HuskWork {
  endHusk(hostPid: number, status: number): Promise<void>;
  deliver(hostPid: number, pid: number, signals: readonly Uint8Array[]): Promise<void>;
}

export interface ProcServiceOptions {
  readonly rpc: RpcNode;
  readonly work: HuskWork;
  /** Home node of a pid. */
  readonly homeOf: (pid: number) => NodeId;
  readonly hostPidOf: (pid: number) => number | undefined;
  readonly log: { warn(details: object, message: string): void };
}

interface Arrived {
  hostPid: number;
  childOfInit: boolean;
}

export class ProcService implements Disposable {
  private readonly options: ProcServiceOptions;
  /** Processes of this home that run elsewhere. */
  private readonly away = new Map<number, NodeId>();
  /** Processes of other homes that run here. */
  private readonly arrived = new Map<number, Arrived>();
  /** Husks that were ended here because they had lost their place; their processes live on. */
  private readonly dropped = new Set<number>();
  private readonly records = new RecordReader();
  private readonly queues = new Map<number, Promise<void>>();
  private readonly timer: NodeJS.Timeout;

  constructor(options: ProcServiceOptions) {
    this.options = options;
    const { rpc } = options;
    rpc.handle(moved, ({ pid: moving, node }) => {
      if (node === rpc.id) this.away.delete(moving);
      else this.away.set(moving, node);
      return {};
    });
    rpc.handle(ended, async ({ pid: dead, status }) => {
      await this.endHusk(dead, status);
      return {};
    });
    rpc.handle(runsHere, ({ pid: wanted }) => ({ runs: this.arrived.has(wanted) }));
    rpc.handle(locateCall, async ({ pid: wanted }) => ({ node: await this.locate(wanted) }));
    rpc.handleNotice(signalled, ({ pid: target, information }) => this.deliver(target, information));
    this.timer = setInterval(() => this.watchArrived(), WATCH_MILLISECONDS);
    this.timer.unref();
  }

  /**
   * After a restart of the daemon: who is here is seen in the container, where the others are is asked of the other nodes.
   * A husk whose process nobody has keeps its place; what a dead node took is for membership to say.
   */
  recover(residents: readonly { pid: number; hostPid: number; husk: boolean; childOfInit: boolean }[]): void {
    const { rpc, homeOf, log } = this.options;
    for (const { pid: found, hostPid, husk, childOfInit } of residents) {
      if (!husk && homeOf(found) !== rpc.id) this.arrived.set(found, { hostPid, childOfInit });
      if (!husk || homeOf(found) !== rpc.id) continue;
      for (const id of rpc.peers) {
        rpc
          .call(id, runsHere, { pid: found })
          .then((answer) => answer.runs && this.away.set(found, id))
          .catch((error: unknown) => log.warn({ pid: found, node: id, error }, 'a node could not be asked for a process'));
      }
    }
  }

  /** The node on which a process runs, or would if there were one. */
  async locate(wanted: number): Promise<NodeId> {
    const { rpc, homeOf } = this.options;
    if (this.arrived.has(wanted)) return rpc.id;
    const home = homeOf(wanted);
    if (home === rpc.id) return this.away.get(wanted) ?? home;
    return (await rpc.call(home, locateCall, { pid: wanted })).node;
  }

  /** Is the process with this pid here only a husk? */
  isHusk(candidate: number): boolean {
    return this.away.has(candidate);
  }

  /** Pids that have a husk here. */
  get husks(): ReadonlySet<number> {
    return new Set(this.away.keys());
  }

  /** Says that a husk is about to be ended although its process lives: its end means nothing. */
  dropping(husk: number): void {
    this.dropped.add(husk);
  }

  /** The process has left this node; to be called before what stayed behind ends or becomes a husk. */
  async left(process: number, node: NodeId): Promise<void> {
    const { rpc, homeOf } = this.options;
    this.arrived.delete(process);
    const home = homeOf(process);
    if (home === rpc.id) this.away.set(process, node);
    else await rpc.call(home, moved, { pid: process, node });
  }

  /** The process runs here from now on. */
  arrivedHere(process: number, hostPid: number, childOfInit: boolean): void {
    if (this.options.homeOf(process) === this.options.rpc.id) this.away.delete(process);
    else this.arrived.set(process, { hostPid, childOfInit });
  }

  /** Pid 1 has reaped a child. @returns true when it was the end of a process, false when only what a moved one had left behind */
  async reaped(dead: number, status: number): Promise<boolean> {
    const { rpc, homeOf, log } = this.options;
    if (this.dropped.delete(dead)) return false;
    const node = this.away.get(dead);
    if (node !== undefined) {
      // The husk was killed: so is the process. What its parent sees is true as soon as it is.
      this.away.delete(dead);
      const information = new Uint8Array(128);
      new DataView(information.buffer).setInt32(0, SIGKILL, true);
      rpc.notify(node, signalled, { pid: dead, information });
      return true;
    }
    if (!this.arrived.delete(dead)) return homeOf(dead) === rpc.id;
    await this.tellHome(dead, status).catch((error: unknown) =>
      log.warn({ pid: dead, error }, 'the end of a process could not be told to its home'),
    );
    return false;
  }

  /** Bytes from the pipe of the husks. */
  recordsRead(chunk: Uint8Array): void {
    for (const record of this.records.push(chunk)) {
      const node = this.away.get(record.pid);
      if (node !== undefined && isForwarded(record))
        this.options.rpc.notify(node, signalled, { pid: record.pid, information: record.information });
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.timer);
  }

  private async tellHome(dead: number, status: number): Promise<void> {
    await this.options.rpc.call(this.options.homeOf(dead), ended, { pid: dead, status });
  }

  private async endHusk(dead: number, status: number): Promise<void> {
    const hostPid = this.options.hostPidOf(dead);
    if (!this.away.delete(dead) || hostPid === undefined) return;
    await this.options.work.endHusk(hostPid, status);
  }

  /** Signals of one process are delivered one after the other, in the order in which they came. */
  private deliver(target: number, information: Uint8Array): void {
    const { hostPidOf, work, log } = this.options;
    const before = this.queues.get(target) ?? Promise.resolve();
    const next = before.then(async () => {
      const hostPid = hostPidOf(target);
      if (hostPid === undefined) return;
      if (signalNumber(information) === SIGKILL) {
        trySyscall('kill', hostPid, SIGKILL);
        return;
      }
      await work.deliver(hostPid, target, [information]);
    });
    const settled = next.catch((error: unknown) => {
      if (!(error instanceof KorriganError && error.code === 'KRG_NO_SUCH_PROCESS'))
        log.warn({ pid: target, error }, 'a signal could not be delivered');
    });
    this.queues.set(target, settled);
    void settled.then(() => {
      if (this.queues.get(target) === settled) this.queues.delete(target);
    });
  }

  /** Those with a parent other than init are reaped by it, so that pid 1 does not see their end. */
  private watchArrived(): void {
    for (const [process, { hostPid, childOfInit }] of this.arrived) {
      if (childOfInit || trySyscall('kill', hostPid, 0) === 0) continue;
      this.arrived.delete(process);
      this.tellHome(process, 0).catch((error: unknown) =>
        this.options.log.warn({ pid: process, error }, 'the end of a process could not be told to its home'),
      );
    }
  }
}
