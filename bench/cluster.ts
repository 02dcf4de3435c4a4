/** Two nodes, each a process of its own; see `node.ts`. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { withAuthority } from '../test/support/joined-node.ts';
import type { NodeAnswer, NodeRequests } from './node.ts';

type Waiting = { resolve: (value: unknown) => void; reject: (error: Error) => void };

export class BenchNode {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, Waiting>();
  private nextId = 1;
  readonly id: number;
  port = 0;

  private constructor(id: number, child: ChildProcess) {
    this.id = id;
    this.child = child;
  }

  static async start(id: number, cluster: string, authority: string): Promise<BenchNode> {
    const words = [String(id), cluster, authority];
    const child = fork(fileURLToPath(new URL('node.ts', import.meta.url)), words, { serialization: 'advanced' });
    const node = new BenchNode(id, child);
    const [hello] = (await Promise.race([once(child, 'message'), once(child, 'exit').then(() => [undefined])])) as [
      { port: number } | undefined,
    ];
    if (hello === undefined) throw new Error(`node ${id} of the benchmark did not start`);
    node.port = hello.port;
    child.on('message', (answer: NodeAnswer) => node.answered(answer));
    child.on('exit', () => {
      for (const { reject } of node.waiting.values()) reject(new Error(`node ${id} of the benchmark has ended`));
    });
    return node;
  }

  ask<Name extends keyof NodeRequests>(
    name: Name,
    ...args: Parameters<NodeRequests[Name]>
  ): Promise<Awaited<ReturnType<NodeRequests[Name]>>> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as Waiting['resolve'], reject });
      this.child.send({ id, name, args });
    });
  }

  private answered({ id, result, error }: NodeAnswer): void {
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (error === undefined) waiting?.resolve(result);
    else waiting?.reject(new Error(`node ${this.id}: ${error}`));
  }
}

export class BenchCluster implements AsyncDisposable {
  private readonly nodes: readonly BenchNode[];

  private constructor(nodes: readonly BenchNode[]) {
    this.nodes = nodes;
  }

  static async start(): Promise<BenchCluster> {
    const cluster = `bench-${process.pid}`;
    const nodes = await withAuthority(cluster, async (authority) => [
      await BenchNode.start(1, cluster, authority),
      await BenchNode.start(2, cluster, authority),
    ]);
    for (const node of nodes) for (const peer of nodes) if (peer !== node) await node.ask('connect', peer.id, peer.port);
    return new BenchCluster(nodes);
  }

  /** @param id 1 or 2 */
  node(id: number): BenchNode {
    const node = this.nodes[id - 1];
    if (node === undefined) throw new RangeError(`there is no node ${id}`);
    return node;
  }

  /** Ends all programs on both nodes. */
  async endAll(): Promise<void> {
    for (const node of this.nodes) await node.ask('endAll');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes) await node.ask('stop');
  }
}
