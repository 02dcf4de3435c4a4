/** /proc of a node's container: the thread that serves it, the thread that reads the node's own, and what nodes tell each other for them. */
import { mountOverProc, mountProcfsBelow } from '../container/index.ts';
import type { NodeId, RpcNode } from '../rpc/index.ts';
import { Answers } from './answers.ts';
import { listCall, lookCall, nodeCall } from './messages.ts';
import { Nodes } from './nodes.ts';
import { REAL } from './places.ts';
import { Reader } from './reader.ts';
import { ServerThread } from './server-thread.ts';

/** How long the first look at other nodes may take. */
const LINK_MILLISECONDS = 3000;

export interface ProcFsOptions {
  readonly node: NodeId;
  readonly onFault: (error: unknown) => void;
}

export interface ProcFsJoin {
  readonly initPid: number;
  readonly rpc: RpcNode;
  /** Lane of the container for the thread that reads. */
  readonly lane: number;
  /** Name of the cluster. */
  readonly cluster: string;
  /** Where a process runs, or would. @throws KorriganError KRG_NO_SUCH_PROCESS */
  readonly locate: (pid: number) => Promise<NodeId>;
  /** Home node of a pid. */
  readonly homeOf: (pid: number) => NodeId;
  /** Does a node take part in the cluster? */
  readonly isLiving: (node: NodeId) => boolean;
  /** Whether a process sees only its node in /proc. @default none does */
  readonly seesOnlyItsNode?: (pid: number) => boolean;
}

export class ProcFs implements AsyncDisposable {
  private readonly options: ProcFsOptions;
  private server: ServerThread | undefined;
  private reader: Reader | undefined;
  private answers: Answers | undefined;

  constructor(options: ProcFsOptions) {
    this.options = options;
  }

  /**
   * Serves /proc of a container that has the mount already. What needs other nodes waits until {@link ProcFs.join}.
   * @param fuse a descriptor here of /dev/fuse, given away
   */
  serve(initPid: number, fuse: number): void {
    this.server = new ServerThread({ initPid, fuse, ...this.options });
    this.connect();
  }

  /** Mounts it, where it is not mounted yet. Before anything is started in the container. @throws KorriganError KRG_NOT_SUPPORTED without FUSE */
  async mount(initPid: number): Promise<void> {
    if (this.server === undefined) this.serve(initPid, mountOverProc(initPid));
    await mountProcfsBelow(initPid, `/proc/${REAL}`);
  }

  /** From now on this node tells others of its processes, and asks for theirs. */
  join({ initPid, rpc, lane, cluster, locate, homeOf, isLiving, seesOnlyItsNode = () => false }: ProcFsJoin): void {
    const reader = new Reader({ initPid, node: this.options.node, lane });
    this.reader = reader;
    rpc.handle(listCall, async () => ({ pids: await reader.ask({ kind: 'list' }) }));
    rpc.handle(lookCall, async ({ caller, look }, context) => {
      const results = await reader.ask({ kind: 'look', caller, look });
      if (results !== undefined) context.answerBytes(results);
      return { isHere: results !== undefined };
    });
    rpc.handle(nodeCall, async ({ files }) => ({ texts: await reader.ask({ kind: 'node', files }) }));
    const nodes = new Nodes(rpc, isLiving);
    this.answers = new Answers({ nodes, session: cluster, locate, homeOf, seesOnlyItsNode });
    // The links are not up yet: who asks at once would be shown a part.
    const others = nodes.living.filter((node) => node !== nodes.own);
    const calls = others.map((node) => rpc.call(node, listCall, {}, { deadlineMs: LINK_MILLISECONDS }));
    void Promise.allSettled(calls).then(() => this.connect());
  }

  private connect(): void {
    const { answers } = this;
    if (answers !== undefined) this.server?.onQuestion((question) => answers.answer(question));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reader?.[Symbol.asyncDispose]();
    await this.server?.[Symbol.asyncDispose]();
  }
}
