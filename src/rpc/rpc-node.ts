/** The RPC of one node: its port, its peers, its handlers, and the calls, notices and streams that it starts. */
import { randomBytes } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { z } from 'zod';
import { KorriganError } from '../linux/errors.ts';
import { admit } from './admission.ts';
import type { NodeCredentials } from './certificates/credentials.ts';
import type { CertifiedNode } from './certificates/identity.ts';
import type { RevocationList } from './certificates/revocation-list.ts';
import type { Trust } from './certificates/trust.ts';
import type { AnyDefinition, CallDefinition, Carried, NodeId, NoticeDefinition, Received, Sent, StreamDefinition } from './definition.ts';
import { type Enrol, serveEnrolment } from './enrolment/serve.ts';
import { dead } from './failures.ts';
import { malformed } from './frame.ts';
import { callEach, type GroupAnswer, type GroupPolicy } from './group-call.ts';
import { DUPLICATE_LINK, type Hello } from './handshake.ts';
import type { CallContext } from './incoming-call.ts';
import { DEFAULT_LIMITS, type RpcLimits } from './limits.ts';
import { Link } from './link.ts';
import { type RpcLog, SILENT_LOG } from './log.ts';
import { loopbackSession } from './loopback.ts';
import { pack, unpack } from './message.ts';
import { openStream, type StreamOptions } from './open-stream.ts';
import { type CallOptions, OutgoingCall, type RawAnswer, type Routes } from './outgoing-call.ts';
import { type Address, type LinkListener, Peer, type PeerEnvironment, type PortListener } from './peer.ts';
import { type Listener, Port } from './port.ts';
import { HandlerRegistry, type HandlerOptions, type NoticeContext } from './registry.ts';
import { RememberedAnswers } from './remembered-answers.ts';
import type { Session } from './session.ts';
import type { RpcStream } from './stream.ts';
import { OWN_VERSIONS, type Versions } from './versions.ts';

export interface RpcNodeOptions {
  /** Says which node of which cluster this is, and whom it believes. */
  readonly trust: Trust;
  /** Answers nodes that ask for a certificate. @default they are refused */
  readonly enrol?: Enrol | undefined;
  readonly log?: RpcLog;
  readonly limits?: Partial<RpcLimits>;
  /** Of the protocol. @default those of this code */
  readonly versions?: Versions;
}

export class RpcNode implements AsyncDisposable {
  readonly id: NodeId;
  readonly #log: RpcLog;
  readonly #limits: RpcLimits;
  readonly #registry: HandlerRegistry;
  readonly #environment: PeerEnvironment;
  readonly #loopback: Session;
  readonly #peers = new Map<NodeId, Peer>();
  readonly #linkListeners = new Set<LinkListener>();
  readonly #portListeners = new Set<PortListener>();
  readonly #routes: Routes;
  readonly #port: Port;
  #isClosed = false;

  constructor({ trust, enrol, log = SILENT_LOG, limits, versions = OWN_VERSIONS }: RpcNodeOptions) {
    const { id, cluster } = trust.self;
    this.id = id;
    this.#log = log;
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    const life = randomBytes(12).toString('hex');
    this.#registry = new HandlerRegistry(this.#limits.callsOfDisabledHandler);
    const answers = new RememberedAnswers(this.#limits, () => performance.now());
    const own = { id, cluster, life, versions };
    this.#environment = { own, trust, registry: this.#registry, answers, limits: this.#limits, log };
    this.#routes = { forwards: this.#limits.forwards, whenOpen: (node, then) => this.#whenOpen(node, then) };
    this.#loopback = loopbackSession(this.#environment, this.id, life);
    this.#port = new Port({
      trust,
      limits: this.#limits,
      log,
      link: (socket, node, settled) => this.#accept(socket, node, settled),
      enrol: (socket, settled) => serveEnrolment(socket, { enrol, limits: this.#limits, log, settled }),
    });
  }

  /** Accepts links on one address (port 0: any free one), and returns it. May be called for several. */
  listen(where: Address | Listener): Promise<Address> {
    return this.#port.listen(where);
  }

  /** From now on this node shows a newer certificate; links that are open stay. @throws KorriganError KRG_PEER_IDENTITY when it is another node's */
  renew(credentials: NodeCredentials): void {
    this.#environment.trust.renew(credentials);
    this.#port.certificateChanged();
  }

  /** From now on nobody is believed whose certificate is on the list: his link is closed. @returns whether the list was news */
  revoke(list: RevocationList): boolean {
    if (!this.#environment.trust.revoke(list)) return false;
    for (const peer of this.#peers.values()) {
      const refusal = peer.serial === undefined ? undefined : this.#environment.trust.revocationOf({ id: peer.id, serial: peer.serial });
      if (refusal !== undefined) peer.close(refusal, true);
    }
    return true;
  }

  /** Makes a node known. The link is made when it is first needed, from either side. */
  addPeer(id: NodeId, host: string, port: number): void {
    if (id === this.id) throw new KorriganError('KRG_BAD_REQUEST', `node ${id} is this node`);
    const before = this.#peers.get(id);
    if (before?.address.host === host && before.address.port === port) return;
    if (before !== undefined) this.removePeer(id);
    const listeners = {
      link: (change: Parameters<LinkListener>[0]): void => this.#linkListeners.forEach((listener) => listener(change)),
      port: (answer: Parameters<PortListener>[0]): void => this.#portListeners.forEach((listener) => listener(answer)),
    };
    this.#peers.set(id, new Peer(id, { host, port }, this.#environment, listeners));
  }

  /** Forgets a node. Its link is closed, calls to it end in KRG_NODE_DEAD. */
  removePeer(id: NodeId): void {
    const peer = this.#peers.get(id);
    this.#peers.delete(id);
    peer?.close(dead(`node ${id} was removed`), true);
  }

  /** Ids of the nodes that are known, without this one. */
  get peers(): NodeId[] {
    return [...this.#peers.keys()];
  }

  /** Whether a link to the node is open at this moment. */
  isConnected(id: NodeId): boolean {
    return this.#peers.get(id)?.openLink !== undefined;
  }

  /** Version of the protocol that is spoken on the link to a node; undefined while there is none. */
  versionWith(id: NodeId): number | undefined {
    return this.#peers.get(id)?.version;
  }

  /** Closes the link to a node, as if it had been cut. */
  disconnect(id: NodeId): void {
    const peer = this.#peers.get(id);
    if (peer?.openLink !== undefined) peer.close(dead('the link was closed on this node'), false);
  }

  /** Tells of links that come up and go down. Returns what takes the listener off again. */
  onLinkChange(listener: LinkListener): () => void {
    this.#linkListeners.add(listener);
    return () => this.#linkListeners.delete(listener);
  }

  /** Tells, of each attempt to connect to a peer, whether its port was open. Returns what takes the listener off again. */
  onPortAnswer(listener: PortListener): () => void {
    this.#portListeners.add(listener);
    return () => this.#portListeners.delete(listener);
  }

  /** Answers a call. Calls of one peer are started in the order in which they were made; they may then run side by side. */
  handle<Request extends z.ZodType, Response extends z.ZodType>(
    definition: CallDefinition<Request, Response>,
    run: (request: z.output<Request>, context: CallContext) => z.input<Response> | Promise<z.input<Response>>,
    options: HandlerOptions<z.output<Request>> = {},
  ): void {
    this.#registry.add({
      ...definition,
      ...(options as HandlerOptions<unknown>),
      run: run as (request: unknown, context: CallContext) => unknown,
    });
  }

  handleNotice<Message extends z.ZodType>(
    definition: NoticeDefinition<Message>,
    run: (message: z.output<Message>, context: NoticeContext) => void | Promise<void>,
    options: HandlerOptions<z.output<Message>> = {},
  ): void {
    this.#registry.add({
      ...definition,
      ...(options as HandlerOptions<unknown>),
      run: run as (message: unknown, context: NoticeContext) => unknown,
    });
  }

  /** Answers a stream. When `run` returns, this direction is ended; when it throws, the stream is broken off with its error. */
  handleStream<Request extends z.ZodType, ToHandler extends Carried, ToOpener extends Carried>(
    definition: StreamDefinition<Request, ToHandler, ToOpener>,
    run: (request: z.output<Request>, stream: RpcStream<Received<ToHandler>, Sent<ToOpener>>) => Promise<void>,
    options: HandlerOptions<z.output<Request>> = {},
  ): void {
    this.#registry.add({
      ...definition,
      ...(options as HandlerOptions<unknown>),
      run: run as (request: unknown, stream: RpcStream<unknown, unknown>) => Promise<void>,
    });
  }

  /** From now on what comes for this handler waits until it is enabled. */
  disable(definition: AnyDefinition): void {
    this.#registry.disable(definition);
  }

  enable(definition: AnyDefinition): void {
    this.#registry.enable(definition);
  }

  /** Calls a node (or this one) and returns its response. Throws the handler's KorriganError, or KRG_NODE_DEAD, KRG_DEADLINE, KRG_CANCELLED … */
  async call<Request extends z.ZodType, Response extends z.ZodType>(
    node: NodeId,
    definition: CallDefinition<Request, Response>,
    request: z.input<Request>,
    options: CallOptions = {},
  ): Promise<z.output<Response>> {
    return (await this.callWithBytes(node, definition, request, options)).response;
  }

  /** The same, with the raw bytes that came with the response, and the node that gave it (another one when the call was forwarded). */
  async callWithBytes<Request extends z.ZodType, Response extends z.ZodType>(
    node: NodeId,
    definition: CallDefinition<Request, Response>,
    request: z.input<Request>,
    options: CallOptions = {},
  ): Promise<{ readonly response: z.output<Response>; readonly bytes: Uint8Array; readonly from: NodeId }> {
    const { body, bytes, from } = await new Promise<RawAnswer>((resolve, reject) => {
      new OutgoingCall(this.#routes, node, definition, request, options, resolve, reject).start();
    });
    const parsed = definition.response.safeParse(unpack(body));
    if (!parsed.success) throw malformed(`the response of node ${from} to ${definition.name} has the wrong form: ${parsed.error.message}`);
    return { response: parsed.data, bytes, from };
  }

  /** Calls several nodes at a time. See `GroupPolicy` for what counts as success. */
  callGroup<Request extends z.ZodType, Response extends z.ZodType>(
    nodes: Iterable<NodeId>,
    definition: CallDefinition<Request, Response>,
    request: z.input<Request>,
    options: CallOptions & { readonly policy: GroupPolicy },
  ): Promise<GroupAnswer<z.output<Response>>> {
    const { policy, ...each } = options;
    return callEach(nodes, policy, each.signal, (node, signal) => this.call(node, definition, request, { ...each, signal }));
  }

  /** Sends a message and forgets it. One that cannot be delivered is logged. Throws KRG_NO_SUCH_NODE. */
  notify<Message extends z.ZodType>(node: NodeId, definition: NoticeDefinition<Message>, message: z.input<Message>): void {
    const body = pack([definition.name, message]);
    this.#whenOpen(node, (session) => {
      if (session instanceof KorriganError)
        this.#log[definition.isRepeated ? 'debug' : 'warn'](
          { peer: node, name: definition.name, code: session.code },
          'a notice was not delivered',
        );
      else session.notify(body, definition.priority);
    });
  }

  /** Opens a stream and waits until the peer's handler has it. */
  async openStream<Request extends z.ZodType, ToHandler extends Carried, ToOpener extends Carried>(
    node: NodeId,
    definition: StreamDefinition<Request, ToHandler, ToOpener>,
    request: z.input<Request>,
    options: StreamOptions = {},
  ): Promise<RpcStream<Received<ToOpener>, Sent<ToHandler>>> {
    const { name, toOpener, toHandler, priority } = definition;
    const opening = { body: pack([name, request]), incoming: toOpener, outgoing: toHandler, priority };
    const stream = await openStream(this.#routes, node, opening, options);
    // The two directions of the definition are what the stream parses and sends.
    return stream as unknown as RpcStream<Received<ToOpener>, Sent<ToHandler>>;
  }

  /** Says goodbye to all peers and stops listening. What is under way ends in KRG_NODE_DEAD. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const reason = dead('this node was shut down');
    for (const peer of this.#peers.values()) peer.close(reason, true);
    this.#loopback.closed(reason);
    await this.#port.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #whenOpen(node: NodeId, then: (session: Session | KorriganError) => void): void {
    if (this.#isClosed) {
      then(dead('this node was shut down'));
      return;
    }
    if (node === this.id) {
      then(this.#loopback);
      return;
    }
    const peer = this.#peers.get(node);
    if (peer === undefined) throw new KorriganError('KRG_NO_SUCH_NODE', `the cluster has no node ${node}`);
    peer.whenOpen(then);
  }

  #accept(socket: TLSSocket, certified: CertifiedNode, settled: () => void): void {
    let peer: Peer | undefined;
    const link: Link = new Link(
      socket,
      {
        kind: 'acceptor-waits',
        own: this.#environment.own,
        certified,
        // It may have been revoked since TLS has looked.
        admit: (hello) => this.#environment.trust.revocationOf(certified) ?? this.#admit(hello),
        lastLinkWith: (id) => this.#peers.get(id)?.lastLink ?? '',
      },
      undefined,
      this.#limits,
      {
        opened: (agreed) => {
          settled();
          peer = this.#peers.get(agreed.peer);
          peer?.adopt(link, agreed);
        },
        frame: (frame) => peer?.receive(link, frame),
        closed: (reason) => {
          settled();
          if (peer !== undefined) peer.linkClosed(link, reason);
          else if (reason.code !== DUPLICATE_LINK && !this.#isClosed) {
            const { remote } = link;
            this.#log.warn({ remote, peer: certified.id, code: reason.code, reason: reason.message }, 'a connection was refused');
          }
        },
      },
    );
  }

  /** What to say to a node that greets; asked at its hello and once more when it agrees. */
  #admit(hello: Hello): KorriganError | undefined {
    const peer = this.#peers.get(hello.from);
    if (peer === undefined) return new KorriganError('KRG_NO_SUCH_NODE', `node ${this.id} knows no node ${hello.from}`);
    const admission = admit({ ownId: this.id, openLink: peer.openLink, connecting: peer.isConnecting }, hello);
    if (admission === 'accept') return undefined;
    return new KorriganError(DUPLICATE_LINK, `node ${this.id} has another link to node ${hello.from}`);
  }
}
