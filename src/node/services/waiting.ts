/** Waits for the end of processes wherever they are, and follows them when they move. */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Container } from '../../container/index.ts';
import type { Membership } from '../../hotplug/index.ts';
import { type ErrorCode, errorToJSON, isKorriganError, toKorriganError } from '../../linux/errors.ts';
import type { ProcService } from '../../proc/index.ts';
import { defineCall, defineStream, type RpcNode } from '../../rpc/index.ts';
import type { Caller, Ended, ExitStatus, WaitLine } from '../api/types.ts';
import { type EndHere, EndWatch } from './end-watch.ts';
import { ownerOf } from './process-list.ts';
import { locateProcess, noSuchProcess } from './whereabouts.ts';

const exitStatus = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('exited'), code: z.int() }),
  z.object({ kind: z.literal('signalled'), signal: z.int(), coreDumped: z.boolean() }),
]);

/** Asks a node for the end of a process that runs there: one answer, when there is one. */
const awaitEnd = defineStream('node.wait', {
  request: z.object({ pid: z.int(), uid: z.int() }),
  toHandler: z.never(),
  toOpener: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('ended'), status: exitStatus.nullable() }),
    z.object({ kind: z.literal('moved') }),
  ]),
});
/** Asks whether a process runs on a node. */
const hasProcess = defineCall('node.has-process', z.object({ pid: z.int() }), z.object({ runs: z.boolean() }));

const AGAIN_MILLISECONDS = 50;
/** A process that has ended is looked for on so many nodes before it is believed. */
const LOOKS = 8;
const SIGKILL = 9;
const KILLED: ExitStatus = { kind: 'signalled', signal: SIGKILL, coreDumped: false };
/** What says of a node that it cannot be asked at this moment. */
const AWAY: readonly ErrorCode[] = ['KRG_NODE_DEAD', 'KRG_DEADLINE', 'KRG_STREAM_BROKEN', 'KRG_NO_SUCH_STREAM', 'KRG_CANCELLED'];

export interface WaitingOptions {
  readonly container: Container;
  readonly proc: ProcService;
  readonly rpc: RpcNode;
  readonly membership: Membership;
  /** The node whose range a pid is from. */
  readonly homeOf: (pid: number) => number;
}

export class Waiting {
  private readonly options: WaitingOptions;

  /** Answers other nodes, too. */
  constructor(options: WaitingOptions) {
    this.options = options;
    const { container, proc, rpc } = options;
    const isHusk = (pid: number): boolean => proc.isHusk(pid);
    const watch = new EndWatch(container, isHusk);
    rpc.handleStream(awaitEnd, async ({ pid, uid }, stream) => {
      const owner = pid <= 1 ? undefined : ownerOf(container, pid);
      const end = owner === undefined ? undefined : await watch.endOf(pid, stream.signal);
      if (end === undefined) throw noSuchProcess(pid);
      // Linux tells of it the parent, and who may look into the process.
      const isTold = uid === 0 || uid === owner;
      await stream.write(end.kind === 'ended' && !isTold ? { ...end, status: null } : end);
    });
    rpc.handle(hasProcess, ({ pid }) => ({ runs: !isHusk(pid) && container.hostPidOf(pid) !== undefined }));
  }

  /** One line for each of the pids, as they end. */
  async *linesFor(caller: Caller, pids: readonly number[], abort: AbortSignal): AsyncGenerator<WaitLine> {
    const pending = new Map(pids.map((pid) => [pid, this.lineFor(caller, pid, abort).then((line) => ({ pid, line }))]));
    while (pending.size > 0) {
      const { pid, line } = await Promise.race(pending.values());
      pending.delete(pid);
      yield line;
    }
  }

  private async lineFor(caller: Caller, pid: number, abort: AbortSignal): Promise<WaitLine> {
    try {
      return await this.endOf(pid, caller.uid, abort);
    } catch (error) {
      return { pid, failure: errorToJSON(toKorriganError(error)) };
    }
  }

  /** @throws KorriganError KRG_NO_SUCH_PROCESS when there was none */
  private async endOf(pid: number, uid: number, abort: AbortSignal): Promise<Ended> {
    const { proc, membership } = this.options;
    let seenOn: number | undefined;
    let wasAway = false;
    for (; ; await delay(AGAIN_MILLISECONDS)) {
      let node = seenOn;
      try {
        node = await locateProcess(proc, pid);
        const end = await this.endOn(node, pid, uid, abort);
        seenOn = node;
        if (end.kind === 'ended' && !(await this.runsElsewhere(pid, node)))
          return { pid, node: membership.nameOf(node), status: end.status, isLost: false };
      } catch (error) {
        if (abort.aborted) throw error;
        if (AWAY.some((code) => isKorriganError(error, code))) {
          // The node may come back, with or without the process, or is declared dead.
          seenOn = node;
          wasAway = true;
        } else if (isKorriganError(error, 'KRG_NO_SUCH_PROCESS') && (seenOn !== undefined || wasAway)) {
          const last = seenOn ?? this.options.homeOf(pid);
          const isLost = !membership.isLiving(last);
          return { pid, node: membership.nameOf(last), status: isLost ? KILLED : null, isLost };
        } else throw error;
      }
    }
  }

  private async endOn(node: number, pid: number, uid: number, abort: AbortSignal): Promise<EndHere> {
    const stream = await this.options.rpc.openStream(node, awaitEnd, { pid, uid }, { signal: abort });
    await stream.end();
    const end = await stream.read();
    return end ?? { kind: 'moved' };
  }

  /** What a process leaves behind when it moves ends as well. */
  private async runsElsewhere(pid: number, than: number): Promise<boolean> {
    const { proc, rpc } = this.options;
    try {
      for (let look = 0, last = than; look < LOOKS; look++) {
        const node = await locateProcess(proc, pid);
        if (node === last) return false;
        if ((await rpc.call(node, hasProcess, { pid })).runs) return true;
        last = node;
      }
      return false;
    } catch (error) {
      if (isKorriganError(error, 'KRG_NO_SUCH_PROCESS')) return false;
      throw error;
    }
  }
}
