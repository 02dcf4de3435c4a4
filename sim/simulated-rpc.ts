/** What `RpcNode` is for the modules above it, over simulated links. Messages are parsed against their schemas, as there. */
import type { z } from 'zod';
import type { Ballot, View } from '../src/hotplug/index.ts';
import { isKorriganError, KorriganError } from '../src/linux/errors.ts';
import type {
  CallDefinition,
  CallContext,
  CallOptions,
  LinkListener,
  NodeId,
  NoticeContext,
  NoticeDefinition,
  RpcNode,
} from '../src/rpc/index.ts';
import type { Daemon, Machines } from './machines.ts';

type Rpc = Pick<
  RpcNode,
  | 'id'
  | 'peers'
  | 'addPeer'
  | 'call'
  | 'handle'
  | 'notify'
  | 'handleNotice'
  | 'isConnected'
  | 'disconnect'
  | 'onLinkChange'
  | 'onPortAnswer'
>;
type PortListener = Parameters<RpcNode['onPortAnswer']>[0];
type Handler = (message: unknown, caller: NodeId) => unknown;
type Answer = { readonly body: unknown } | { readonly error: KorriganError };

/** Said too often to be shown. */
const NOT_TRACED = new Set(['hotplug.alive']);

export class SimulatedRpc implements Rpc {
  readonly #daemon: Daemon;
  readonly #machines: Machines;
  readonly #handlers = new Map<string, Handler>();
  readonly #linkListeners = new Set<LinkListener>();
  readonly #portListeners = new Set<PortListener>();
  readonly #peers = new Set<NodeId>();

  constructor(daemon: Daemon, machines: Machines) {
    this.#daemon = daemon;
    this.#machines = machines;
  }

  get id(): NodeId {
    return this.#daemon.id;
  }

  get peers(): NodeId[] {
    return [...this.#peers];
  }

  addPeer(id: NodeId): void {
    this.#peers.add(id);
  }

  isConnected(id: NodeId): boolean {
    return this.#machines.links.isConnected(this.#daemon, id);
  }

  disconnect(id: NodeId): void {
    this.#machines.links.disconnect(this.id, id);
  }

  onPortAnswer(listener: PortListener): () => void {
    this.#portListeners.add(listener);
    return () => this.#portListeners.delete(listener);
  }

  portAnswers(peer: NodeId, isOpen: boolean): void {
    for (const listener of this.#portListeners) listener({ peer, isOpen });
  }

  onLinkChange(listener: LinkListener): () => void {
    this.#linkListeners.add(listener);
    return () => this.#linkListeners.delete(listener);
  }

  linkLost(peer: NodeId): void {
    for (const listener of this.#linkListeners) listener({ peer, up: false, reason: dead(peer) });
  }

  handle<Request extends z.ZodType, Response extends z.ZodType>(
    { name, request }: CallDefinition<Request, Response>,
    run: (request: z.output<Request>, context: CallContext) => z.input<Response> | Promise<z.input<Response>>,
  ): void {
    this.#handlers.set(name, (message, caller) => run(request.parse(message), { caller } as CallContext));
  }

  handleNotice<Message extends z.ZodType>(
    { name, message: schema }: NoticeDefinition<Message>,
    run: (message: z.output<Message>, context: NoticeContext) => void | Promise<void>,
  ): void {
    this.#handlers.set(name, (message, caller) => run(schema.parse(message), { caller }));
  }

  notify<Message extends z.ZodType>(to: NodeId, { name }: NoticeDefinition<Message>, message: z.input<Message>): void {
    const from = this.id;
    this.#machines.noteMessage(name, message);
    const arrive = (receiver: Daemon): void => {
      this.#machines.noteArrival(name, from, to);
      if (!NOT_TRACED.has(name)) this.#machines.trace(() => `${from} > ${to} ${name} ${inShort(message)}`);
      receiver.rpc.#handlers.get(name)?.(message, from);
    };
    this.#machines.links.send({ from: this.#daemon, to, arrive, onLost: undefined });
  }

  call<Request extends z.ZodType, Response extends z.ZodType>(
    to: NodeId,
    { name, response }: CallDefinition<Request, Response>,
    request: z.input<Request>,
    { deadlineMs }: CallOptions = {},
  ): Promise<z.output<Response>> {
    const from = this.id;
    const { links } = this.#machines;
    return new Promise<z.output<Response>>((resolve, reject) => {
      let forget = (): void => undefined;
      const finish = (answer: Answer): void => {
        forget();
        if ('error' in answer) reject(answer.error);
        else resolve(response.parse(answer.body));
      };
      if (to === from) {
        this.#daemon.after(0, () => void this.#serve(name, request, from).then(finish));
        return;
      }
      forget = links.whenLost(this.#daemon, to, () => finish({ error: dead(to) }));
      if (deadlineMs !== undefined)
        this.#daemon.after(deadlineMs, () => finish({ error: new KorriganError('KRG_DEADLINE', `node ${to} has not answered ${name}`) }));
      const answer = (receiver: Daemon, what: Answer): void => {
        this.#machines.noteMessage(name, what);
        const arrive = (caller: Daemon): void => {
          // Another daemon in its place knows nothing of the call.
          if (caller !== this.#daemon) return;
          this.#machines.trace(() => `${to} > ${from} answer to ${name} ${'body' in what ? inShort(what.body) : what.error.code}`);
          finish(what);
        };
        links.send({ from: receiver, to: from, arrive, onLost: undefined });
      };
      const arrive = (receiver: Daemon): void => {
        this.#machines.trace(() => `${from} > ${to} ${name} ${inShort(request)}`);
        void receiver.rpc.#serve(name, request, from).then((what) => receiver.perform(() => answer(receiver, what)));
      };
      this.#machines.noteMessage(name, request);
      links.send({ from: this.#daemon, to, arrive, onLost: () => finish({ error: dead(to) }) });
    });
  }

  async #serve(name: string, request: unknown, caller: NodeId): Promise<Answer> {
    const handler = this.#handlers.get(name);
    if (handler === undefined) return { error: new KorriganError('KRG_NO_SUCH_CALL', `no handler has the name ${name}`) };
    try {
      return { body: await handler(request, caller) };
    } catch (error) {
      if (isKorriganError(error)) return { error };
      throw error;
    }
  }
}

function dead(node: NodeId): KorriganError {
  return new KorriganError('KRG_NODE_DEAD', `the link to node ${node} was lost`);
}

/** For a person to read. */
function inShort(message: unknown): string {
  return JSON.stringify(message, (_, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value;
    if ('epoch' in value && 'nodes' in value) {
      const { epoch, nodes } = value as View;
      return `epoch ${epoch}: ${nodes.map(({ id, state }) => (state === 'online' ? id : `${id} ${state}`)).join(', ')}`;
    }
    if ('round' in value && 'node' in value) return `${(value as Ballot).round}.${(value as Ballot).node}`;
    return value;
  });
}
