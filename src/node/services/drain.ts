/**
 * Empties a node that is leaving: its processes move to the least loaded of the others, whole trees first, then one by one what was refused with its tree,
 * again and again until nothing is left or nothing more moves.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { errorToJSON, type ErrorJSON, isKorriganError, KorriganError, toKorriganError } from '../../linux/errors.ts';
import type { Membership, NodeRecord } from '../../hotplug/index.ts';
import type { NodeId, RpcNode } from '../../rpc/index.ts';
import type { DrainProgress, Immovable, ProcessEntry } from '../api/types.ts';
import { loadOf, type NodeLoad, residentsOf, targetFor, type Tree, treesOf } from './drain-plan.ts';
import { killProcess } from './kill.ts';
import { migrateProcess } from './migration.ts';
import { listProcesses } from './process-list.ts';

/** Moves from one node at a time: it has a few threads for them. */
const MOVES_AT_ONCE = 3;
const AGAIN_MILLISECONDS = 200;
/** What is only in the way for a moment is tried again for so long when no deadline was given. */
const PATIENCE_MILLISECONDS = 10_000;
const PASSING = ['KRG_PROCESS_BUSY', 'KRG_CANNOT_STOP', 'KRG_PROCESS_ELSEWHERE', 'KRG_NODE_DEAD', 'KRG_NODE_LOST', 'KRG_DEADLINE'] as const;
const KILL_MILLISECONDS = 10_000;
const SIGKILL = 9;

export interface DrainOptions {
  readonly rpc: RpcNode;
  readonly membership: Membership;
  readonly node: NodeRecord;
  readonly deadlineSeconds: number | undefined;
  readonly onProgress: (progress: DrainProgress) => void;
  readonly abort: AbortSignal;
}

export class Drain {
  readonly moved: { readonly pid: number; readonly to: string }[] = [];
  private readonly options: DrainOptions;
  private readonly refusals = new Map<number, ErrorJSON>();

  constructor(options: DrainOptions) {
    this.options = options;
  }

  /** @returns what could not be moved @throws KorriganError KRG_CANCELLED, also when somebody else has decided that the node stays */
  async run(): Promise<readonly Immovable[]> {
    const { deadlineSeconds } = this.options;
    const until = performance.now() + (deadlineSeconds === undefined ? PATIENCE_MILLISECONDS : deadlineSeconds * 1000);
    for (let empty = 0, left: readonly ProcessEntry[] = []; ; ) {
      this.check();
      left = await this.residents();
      // What was on its way to this node when it began to leave has had time to come.
      if (left.length === 0 && ++empty === 2) return [];
      const before = this.moved.length;
      if (left.length > 0) await this.pass(left);
      if (this.moved.length > before) continue;
      const isPassing = left.every(({ pid }) => PASSING.some((code) => code === this.refusals.get(pid)?.code));
      if (left.length > 0 && (performance.now() > until || (deadlineSeconds === undefined && !isPassing))) return this.immovable(left);
      await delay(AGAIN_MILLISECONDS);
    }
  }

  /** Kills what is still there, and what that bears meanwhile. @returns all that were killed */
  async kill(): Promise<readonly Immovable[]> {
    const { rpc, node, onProgress } = this.options;
    const killed = new Map<number, Immovable>();
    for (const until = performance.now() + KILL_MILLISECONDS; performance.now() < until; await delay(AGAIN_MILLISECONDS / 4)) {
      const left = await this.residents();
      if (left.length === 0) return [...killed.values()];
      for (const entry of left) {
        const { pid, command } = entry;
        await ignoreEnded(rpc.call(node.id, killProcess, { pid, signal: SIGKILL, uid: 0 }, { idempotencyKey: randomUUID() }));
        if (killed.has(pid)) continue;
        for (const immovable of this.immovable([entry])) killed.set(pid, immovable);
        onProgress({ kind: 'killed', node: node.name, pid, command });
      }
    }
    throw new KorriganError('KRG_DEADLINE', `processes of ${node.name} do not end, although they were killed`);
  }

  private check(): void {
    const { abort, membership, node } = this.options;
    if (abort.aborted) throw new KorriganError('KRG_CANCELLED', 'who asked for it has gone');
    if (membership.byId(node.id).state !== 'leaving')
      throw new KorriganError('KRG_CANCELLED', `${node.name} is ${membership.byId(node.id).state}: somebody else has decided otherwise`);
  }

  private async residents(): Promise<ProcessEntry[]> {
    const { rpc, node } = this.options;
    return residentsOf(await rpc.call(node.id, listProcesses, {}));
  }

  private immovable(left: readonly ProcessEntry[]): Immovable[] {
    const unknown = { code: 'KRG_DEADLINE', message: 'there was no time left to move it' };
    return left.map(({ pid, command }) => ({ pid, command, error: this.refusals.get(pid) ?? unknown }));
  }

  private async pass(left: readonly ProcessEntry[]): Promise<void> {
    const loads = await this.loads();
    const coming = new Map<NodeId, number>();
    const trees = treesOf(left);
    const commands = new Map(left.map(({ pid, command }) => [pid, command]));
    const work = async (): Promise<void> => {
      for (let tree = trees.shift(); tree !== undefined && !this.options.abort.aborted; tree = trees.shift()) {
        const target = targetFor(loads, coming);
        if (target === undefined) return;
        coming.set(target, (coming.get(target) ?? 0) + tree.members.length);
        await this.moveTree(tree, target, commands);
      }
    };
    await Promise.all(Array.from({ length: MOVES_AT_ONCE }, work));
  }

  private async loads(): Promise<NodeLoad[]> {
    const { rpc, membership, node } = this.options;
    const targets = membership.members.filter(({ id, state }) => state === 'online' && id !== node.id);
    const loads = await Promise.all(
      targets.map(async ({ id }) => {
        try {
          return [loadOf(id, await rpc.call(id, listProcesses, {}))];
        } catch (error) {
          if (isKorriganError(error)) return [];
          throw error;
        }
      }),
    );
    if (loads.flat().length === 0)
      throw new KorriganError('KRG_LAST_NODE', `no other node is online that could take what runs on ${node.name}`);
    return loads.flat();
  }

  private async moveTree({ root, members }: Tree, target: NodeId, commands: ReadonlyMap<number, string>): Promise<void> {
    const refusal = await this.move(root, target, true);
    if (refusal === undefined) return;
    if (members.length === 1) {
      this.refused(root, refusal, commands);
      return;
    }
    for (const pid of members) {
      if (this.options.abort.aborted) return;
      const own = await this.move(pid, target, false);
      if (own !== undefined) this.refused(pid, own, commands);
    }
  }

  /** @returns why it was refused */
  private async move(pid: number, target: NodeId, tree: boolean): Promise<ErrorJSON | undefined> {
    const { rpc, membership, node, onProgress } = this.options;
    const to = membership.nameOf(target);
    try {
      const result = await rpc.call(node.id, migrateProcess, { pid, target, tree, uid: 0 }, { idempotencyKey: randomUUID() });
      const pids = result?.pids ?? [pid];
      for (const each of pids) {
        this.refusals.delete(each);
        this.moved.push({ pid: each, to });
      }
      onProgress({ kind: 'moved', node: node.name, pid, pids, to });
      return undefined;
    } catch (cause) {
      const error = toKorriganError(cause);
      return error.code === 'KRG_NO_SUCH_PROCESS' ? undefined : errorToJSON(error);
    }
  }

  /** The same reason is told once. */
  private refused(pid: number, error: ErrorJSON, commands: ReadonlyMap<number, string>): void {
    const { node, onProgress } = this.options;
    const isNews = this.refusals.get(pid)?.code !== error.code;
    this.refusals.set(pid, error);
    if (isNews) onProgress({ kind: 'refused', node: node.name, pid, command: commands.get(pid) ?? '', error });
  }
}

async function ignoreEnded(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isKorriganError(error, 'KRG_NO_SUCH_PROCESS')) throw error;
  }
}
