/** For the tests of this module: nodes with real sockets on 127.0.0.1, and a proxy between two of them whose wires can be cut. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { z } from 'zod';
import type { NodeCredentials } from './certificates/credentials.ts';
import { Trust } from './certificates/trust.ts';
import { defineCall, defineNotice, defineStream, type NodeId, rawBytes } from './definition.ts';
import type { RpcLimits } from './limits.ts';
import type { RpcLog } from './log.ts';
import type { Address } from './peer.ts';
import { RpcNode, type RpcNodeOptions } from './rpc-node.ts';
import { createTestAuthority } from './test-certificates.ts';

export const HOST = '127.0.0.1';

/** The authority of every `TestCluster`, and certificates of its first nodes. */
export const authority = await createTestAuthority();
const CREDENTIALS = await Promise.all(Array.from({ length: 9 }, (_, index) => authority.credentialsFor(index + 1)));

/** @param id 1 to 9 */
export function credentialsOf(id: NodeId): NodeCredentials {
  const credentials = CREDENTIALS[id - 1];
  if (credentials === undefined) throw new Error(`no certificate was made for node ${id}`);
  return credentials;
}

export const echo = defineCall('test.echo', z.object({ text: z.string() }), z.object({ text: z.string(), by: z.int() }));
export const wait = defineCall('test.wait', z.object({}), z.object({}));
export const count = defineCall('test.count', z.int(), z.int());
export const told = defineNotice('test.told', z.int());
export const sums = defineStream('test.sums', { request: z.object({ from: z.int() }), toHandler: z.int(), toOpener: z.int() });
export const bytes = defineStream('test.bytes', { request: z.object({}), toHandler: rawBytes, toOpener: rawBytes });

export interface LogLine {
  readonly level: string;
  readonly details: Record<string, unknown>;
  readonly message: string;
}

export class TestCluster implements AsyncDisposable {
  readonly log: LogLine[] = [];
  readonly #stack = new AsyncDisposableStack();

  node(id: NodeId, options: Partial<RpcNodeOptions> = {}): RpcNode {
    const note = (level: string) => (details: object, message: string) => {
      this.log.push({ level, details: details as Record<string, unknown>, message });
    };
    const log: RpcLog = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
    const trust = options.trust ?? new Trust(credentialsOf(id));
    return this.#stack.use(new RpcNode({ log, ...options, trust }));
  }

  /** Nodes 1 to `size` that listen and know each other. */
  async nodes(size: number, limits: Partial<RpcLimits> = {}): Promise<RpcNode[]> {
    const nodes = Array.from({ length: size }, (_, index) => this.node(index + 1, { limits }));
    const addresses = await Promise.all(nodes.map((node) => node.listen({ host: HOST, port: 0 })));
    for (const node of nodes) {
      addresses.forEach(({ host, port }, index) => {
        if (index + 1 !== node.id) node.addPeer(index + 1, host, port);
      });
    }
    return nodes;
  }

  async pair(limits: Partial<RpcLimits> = {}): Promise<[RpcNode, RpcNode]> {
    const [one, two] = await this.nodes(2, limits);
    if (one === undefined || two === undefined) throw new Error('two nodes were made');
    return [one, two];
  }

  /** Two nodes with a proxy between them: node 1 reaches node 2 only through it, node 2 does not connect. */
  async throughProxy(limits: Partial<RpcLimits> = {}): Promise<[RpcNode, RpcNode, Proxy]> {
    const one = this.node(1, { limits });
    const two = this.node(2, { limits });
    const proxy = this.#stack.use(await Proxy.to(await two.listen({ host: HOST, port: 0 })));
    one.addPeer(2, HOST, proxy.port);
    two.addPeer(1, HOST, 1);
    return [one, two, proxy];
  }

  /** Lines of the log that were warnings or errors. */
  get complaints(): LogLine[] {
    return this.log.filter(({ level }) => level === 'warn' || level === 'error');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** Passes bytes on; can cut what is connected, and hold everything back as a network does that drops all packets. */
export class Proxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #held = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(target: Address): Promise<Proxy> {
    const server = createServer();
    const proxy = new Proxy(server);
    server.on('connection', (near) => {
      const far = connect(target);
      proxy.#join(near, far);
      proxy.#join(far, near);
    });
    await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
    return address.port;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Nothing passes any more, and nobody is told. */
  hold(): void {
    this.#held = true;
    for (const socket of this.#sockets) socket.pause();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on('data', (data) => to.write(data));
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    if (this.#held) from.pause();
  }
}

/** Resolves when `condition` holds; the test's own timeout ends it otherwise. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}
