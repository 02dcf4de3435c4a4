/**
 * The port of a node. TLS comes first and tells who is there: a node with a certificate gets a link, one that asks for a certificate goes to the
 * authority, everybody else is refused by name before anything that he sends is read.
 *
 * TLS is told to accept connections without a valid certificate, because those who come to get one have none, and because an alert of TLS
 * would not tell the others why they are refused: `Trust.peerOf` judges each connection instead, before it is used.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTLSServer, type Server as TLSServer, type TLSSocket } from 'node:tls';
import { KorriganError } from '../linux/errors.ts';
import type { CertifiedNode } from './certificates/identity.ts';
import type { Trust } from './certificates/trust.ts';
import { dead } from './failures.ts';
import { malformed } from './frame.ts';
import type { RpcLimits } from './limits.ts';
import type { RpcLog } from './log.ts';
import type { Address } from './peer.ts';
import { refuseConnection } from './refused-connection.ts';

/** What a connection is for: names of application protocols (ALPN, RFC 7301). */
export const LINK_PROTOCOL = 'korrigan-link';
export const ENROLMENT_PROTOCOL = 'korrigan-enrolment';

/** A socket that listens already; the port closes the descriptor in the end. */
export interface Listener {
  readonly fd: number;
}

export interface PortOptions {
  readonly trust: Trust;
  readonly limits: RpcLimits;
  readonly log: RpcLog;
  /** A node is there. `settled` is to be called when the connection has become a link, or has ended. */
  link(socket: TLSSocket, node: CertifiedNode, settled: () => void): void;
  /** Somebody asks for a certificate. */
  enrol(socket: TLSSocket, settled: () => void): void;
}

export class Port {
  readonly #options: PortOptions;
  readonly #tls: TLSServer;
  readonly #servers: Server[] = [];
  /** Connections whose TLS handshake is under way, by address of the peer. */
  readonly #inTLS = new Map<string, Socket>();
  /** Those that have done it and are neither links nor gone. */
  readonly #strangers = new Set<TLSSocket>();
  #isClosed = false;

  constructor(options: PortOptions) {
    this.#options = options;
    this.#tls = createTLSServer({
      ...options.trust.contextOptions,
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: [LINK_PROTOCOL, ENROLMENT_PROTOCOL],
      handshakeTimeout: options.limits.handshakeMs,
    });
    this.#tls.on('secureConnection', (socket) => this.#secured(socket));
    this.#tls.on('tlsClientError', (cause, socket) => {
      this.#failed(addressOf(socket), tlsFailure(cause));
      // One that was too slow is still open.
      socket.destroy();
    });
  }

  /** Accepts connections on one more address (port 0: any free one), and returns it. @throws KorriganError KRG_PORT_IN_USE */
  async listen(where: Address | Listener): Promise<Address> {
    const server = createServer((socket) => this.#accept(socket));
    this.#servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => {
        const what = 'fd' in where ? 'a socket that listens already' : `${where.host}:${where.port}`;
        reject(new KorriganError('KRG_PORT_IN_USE', `cannot listen on ${what}: ${cause.message}`, { cause }));
      });
      server.listen(where, resolve);
    });
    const { address, port } = server.address() as AddressInfo;
    return { host: address, port };
  }

  /** Connections that come from now on see the certificate that the node has now. */
  certificateChanged(): void {
    this.#tls.setSecureContext(this.#options.trust.contextOptions);
  }

  /** Closes what is not a link yet, and stops listening. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const socket of [...this.#inTLS.values(), ...this.#strangers]) socket.destroy();
    const stopped = this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    await Promise.all(stopped);
  }

  #accept(socket: Socket): void {
    const remote = addressOf(socket);
    if (this.#isClosed || this.#inTLS.size + this.#strangers.size >= this.#options.limits.strangers) {
      this.#options.log.warn({ remote }, 'too many connections are in their handshake; this one is closed');
      socket.destroy();
      return;
    }
    this.#inTLS.set(remote, socket);
    socket.once('close', () => this.#failed(remote, dead('it closed the connection before it had shown who it is')));
    this.#tls.emit('connection', socket);
  }

  /** The TLS handshake of a connection has come to nothing; told once. */
  #failed(remote: string, reason: KorriganError): void {
    if (!this.#inTLS.delete(remote) || this.#isClosed) return;
    this.#options.log.warn({ remote, code: reason.code, reason: reason.message }, 'a connection was refused');
  }

  #secured(socket: TLSSocket): void {
    const remote = addressOf(socket);
    this.#inTLS.delete(remote);
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    this.#strangers.add(socket);
    const settled = (): void => void this.#strangers.delete(socket);
    if (socket.alpnProtocol === ENROLMENT_PROTOCOL) {
      this.#options.enrol(socket, settled);
      return;
    }
    const node = this.#options.trust.peerOf(socket);
    if (!(node instanceof KorriganError)) {
      this.#options.link(socket, node, settled);
      return;
    }
    this.#options.log.warn({ remote, code: node.code, reason: node.message }, 'a connection was refused');
    socket.once('close', settled);
    refuseConnection(socket, node, this.#options.limits.handshakeMs);
  }
}

/** Of the peer, for the log. */
const addressOf = (socket: Socket): string => `${socket.remoteAddress}:${socket.remotePort}`;

/** What an error of a TLS handshake means, on either side. */
export function tlsFailure(cause: Error & { readonly code?: string }): KorriganError {
  if (cause.code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return dead('it did not finish the handshake in time', { cause });
  if (cause.code?.startsWith('ERR_SSL_') !== true) return dead(cause.message, { cause });
  return malformed(`what it sent is no TLS 1.3 as nodes speak it (${cause.code})`, { cause });
}
