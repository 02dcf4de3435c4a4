/** Answers what the thread that serves /proc asks: about processes of other nodes, and about the cluster as one machine. */
import { setTimeout as delay } from 'node:timers/promises';
import { KorriganError } from '../linux/index.ts';
import type { NodeId } from '../rpc/index.ts';
import {
  clusterCpuinfo,
  clusterLoadavg,
  clusterMeminfo,
  clusterPressure,
  clusterStat,
  clusterUptime,
  clusterVmstat,
  type Shown,
} from './cluster-files.ts';
import { listCall, lookCall, nodeCall } from './messages.ts';
import type { Nodes } from './nodes.ts';
import type { NodeFile } from './places.ts';
import type { Caller, ServerAnswers, ServerQuestion } from './server-protocol.ts';

/** A process that is just being moved is looked for again. */
const AGAIN_MILLISECONDS = [1, 5, 20];

export interface AnswersOptions {
  readonly nodes: Nodes;
  /** Name of the cluster. */
  readonly session: string;
  /** Where a process runs, or would. @throws KorriganError KRG_NO_SUCH_PROCESS */
  readonly locate: (pid: number) => Promise<NodeId>;
  /** Home node of a pid. */
  readonly homeOf: (pid: number) => NodeId;
  /** Whether a process sees only this node in /proc (Kerrighed's SEE_LOCAL_PROC_STAT). */
  readonly seesOnlyItsNode: (pid: number) => boolean;
}

const JOINED: Readonly<Record<Exclude<NodeFile, 'nodeid' | 'session'>, (shown: Shown) => string>> = {
  cpuinfo: clusterCpuinfo,
  meminfo: clusterMeminfo,
  stat: clusterStat,
  loadavg: clusterLoadavg,
  uptime: clusterUptime,
  vmstat: clusterVmstat,
  'pressure/cpu': clusterPressure,
  'pressure/io': clusterPressure,
  'pressure/memory': clusterPressure,
};

export class Answers {
  private readonly options: AnswersOptions;
  /** What a node showed last, for as long as it takes part and does not answer. */
  private readonly lastShown = new Map<string, string>();

  constructor(options: AnswersOptions) {
    this.options = options;
  }

  async answer(question: ServerQuestion): Promise<ServerAnswers[ServerQuestion['kind']]> {
    switch (question.kind) {
      case 'nodes':
        return this.options.nodes.living;
      case 'list':
        return this.list(question.caller);
      case 'look':
        return this.look(question);
      case 'node-file':
        return this.nodeFile(question.node, question.file, question.caller);
    }
  }

  private async list({ pid }: Caller): Promise<ServerAnswers['list']> {
    const { nodes, seesOnlyItsNode } = this.options;
    if (seesOnlyItsNode(pid)) return [];
    const others = nodes.living.filter((node) => node !== nodes.own);
    const answers = await nodes.askAll(others, listCall, {}, ({ pids }) => pids);
    return answers.map(({ node, value }) => ({ node, pids: value }));
  }

  private async look({ caller, look, hint }: Extract<ServerQuestion, { kind: 'look' }>): Promise<ServerAnswers['look']> {
    const { nodes, locate, homeOf, seesOnlyItsNode } = this.options;
    const { pid } = look.operation;
    const { uid, gid, groups, capabilities } = caller;
    const request = { caller: { uid, gid, groups: [...groups], capabilities: Number(capabilities) }, look };
    let node = hint !== undefined && nodes.isLiving(hint) ? hint : homeOf(pid);
    for (const pause of AGAIN_MILLISECONDS) {
      if (seesOnlyItsNode(caller.pid) && node !== nodes.own) break;
      if (nodes.isLiving(node)) {
        const { response, bytes } = await nodes.askForBytes(node, lookCall, request);
        if (response.isHere) return { results: bytes, node };
      }
      const next = await this.found(locate(pid));
      if (next === undefined) break;
      if (next === node) {
        // Where it should be it is not: it has ended, or arrives in a moment.
        await delay(pause);
        if (pause !== AGAIN_MILLISECONDS[0]) break;
      }
      node = next;
    }
    return { results: undefined, node };
  }

  private async found(located: Promise<NodeId>): Promise<NodeId | undefined> {
    try {
      return await located;
    } catch (error) {
      if (error instanceof KorriganError && error.code === 'KRG_NO_SUCH_PROCESS') return undefined;
      throw error;
    }
  }

  private async nodeFile(node: NodeId, file: NodeFile, { pid }: Caller): Promise<string | undefined> {
    const { nodes, session, seesOnlyItsNode } = this.options;
    if (node !== 0 && !nodes.isLiving(node)) return undefined;
    if (file === 'session') return `${session}\n`;
    if (file === 'nodeid') return node === 0 ? '-\n' : `${node}\n`;
    const wanted = node !== 0 ? [node] : seesOnlyItsNode(pid) ? [nodes.own] : nodes.living;
    const shown = await nodes.askAll(
      wanted,
      nodeCall,
      { files: [file] },
      ({ texts: [text = ''] }, from) => {
        this.lastShown.set(`${from}/${file}`, text);
        return text;
      },
      (silent) => this.lastShown.get(`${silent}/${file}`),
    );
    const texts = shown.filter(({ value }) => value !== '').map(({ node: from, value }) => ({ node: from, text: value }));
    return texts.length === 0 ? undefined : JOINED[file](texts);
  }
}
