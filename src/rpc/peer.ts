/**
 * Another node as this one sees it: where it is, the link to it, and what waits for a link. Links are made when they are first needed.
 * Whatever waits ends: with a session, or with the reason why there is none.
 */
import { connect, type TLSSocket } from 'node:tls';
import { KorriganError } from '../linux/errors.ts';
import type { OpenLink } from './admission.ts';
import type { CertifiedNode } from './certificates/identity.ts';
import type { Trust } from './certificates/trust.ts';
import type { NodeId } from './definition.ts';
import { dead } from './failures.ts';
import type { Frame } from './frame.ts';
import { type AgreedLink, DUPLICATE_LINK, greet, type Identity } from './handshake.ts';
import { Link } from './link.ts';
import { LINK_PROTOCOL, tlsFailure } from './port.ts';
import { refuseConnection } from './refused-connection.ts';
import { Session, type SessionEnvironment } from './session.ts';

/** Where a node listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

export type LinkListener = (change: { readonly peer: NodeId; readonly up: boolean; readonly reason?: KorriganError }) => void;

/**
 * Whether somebody listens at the address of a peer: his daemon may be busy, or about to be started again. Of a daemon that has fallen silent over an open
 * link it says nothing that the kernel takes connections for it: it is stopped, or cut off.
 */
export type PortListener = (answer: { readonly peer: NodeId; readonly isOpen: boolean }) => void;

export interface PeerListeners {
  readonly link: LinkListener;
  readonly port: PortListener;
}

type Asking = (session: Session | KorriganError) => void;

interface Waiting {
  readonly tell: Asking;
  /** On the clock of performance.now(). */
  readonly untilMs: number;
}

/** `giveUp` runs from the first attempt to the last one. `abandon` ends the attempt that is under way. */
type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly giveUp: NodeJS.Timeout; readonly pauseMs: number; readonly abandon: () => void }
  | { readonly kind: 'pausing'; readonly giveUp: NodeJS.Timeout; readonly pause: NodeJS.Timeout }
  | { readonly kind: 'open'; readonly link: Link; readonly session: Session; readonly agreed: AgreedLink };

/** Who would wait for less than that is told at once. */
const LEAST_PATIENCE_MS = 5;

/** Answers that trying again will not change. */
const FINAL = new Set([
  'KRG_PEER_VERSION',
  'KRG_PEER_CLUSTER',
  'KRG_PEER_IDENTITY',
  'KRG_PEER_PROTOCOL',
  'KRG_PEER_REVOKED',
  'KRG_PEER_UNAUTHENTICATED',
  'KRG_NO_SUCH_NODE',
]);

/** What a node gives to all its peers. */
export interface PeerEnvironment extends SessionEnvironment {
  readonly own: Identity;
  readonly trust: Trust;
}

export class Peer {
  readonly id: NodeId;
  readonly address: Address;
  readonly #environment: PeerEnvironment;
  readonly #listeners: PeerListeners;
  #state: State = { kind: 'idle' };
  #waiting: Waiting[] = [];
  #lastLink = '';
  /** Did its last link end so? See {@link Link.hasFallenSilent}. */
  #hasFallenSilent = false;
  #lastFailure: KorriganError | undefined;

  constructor(id: NodeId, address: Address, environment: PeerEnvironment, listeners: PeerListeners) {
    this.id = id;
    this.address = address;
    this.#environment = environment;
    this.#listeners = listeners;
  }

  /** Id of the last link that was open to this peer, '' for none. */
  get lastLink(): string {
    return this.#lastLink;
  }

  get openLink(): OpenLink | undefined {
    if (this.#state.kind !== 'open') return undefined;
    const { id, peerLife, opener } = this.#state.agreed;
    return { id, peerLife, openedByPeer: !opener };
  }

  /** Serial number of the certificate with which the peer came by its link. */
  get serial(): string | undefined {
    return this.#state.kind === 'open' ? this.#state.agreed.serial : undefined;
  }

  /** Of the protocol, on the open link. */
  get version(): number | undefined {
    return this.#state.kind === 'open' ? this.#state.agreed.version : undefined;
  }

  get isConnecting(): boolean {
    return this.#state.kind === 'connecting';
  }

  /** Calls `then` at once when the link is open, else when it is, or when it cannot be had; in the order of asking. */
  whenOpen(then: Asking): void {
    if (this.#state.kind === 'open') {
      then(this.#state.session);
      return;
    }
    const { outgoingCalls, connectMs, reconnectFirstMs } = this.#environment.limits;
    if (this.#waiting.length >= outgoingCalls) {
      then(new KorriganError('KRG_LIMIT', `${this.#waiting.length} calls wait for a link to node ${this.id}; no more are taken`));
      return;
    }
    this.#waiting.push({ tell: then, untilMs: performance.now() + connectMs });
    if (this.#state.kind !== 'idle') return;
    const giveUp = setTimeout(() => this.#giveUp(), connectMs);
    this.#connect(giveUp, reconnectFirstMs);
  }

  /** Takes over a link whose handshake is done, from whichever side it was opened. */
  adopt(link: Link, agreed: AgreedLink): void {
    const before = this.#state;
    const session = new Session(this.#environment, link, this.id, agreed.peerLife, agreed.opener);
    this.#state = { kind: 'open', link, session, agreed };
    this.#lastLink = agreed.id;
    this.#hasFallenSilent = false;
    this.#lastFailure = undefined;
    if (before.kind === 'connecting') before.abandon();
    if (before.kind === 'pausing') clearTimeout(before.pause);
    if (before.kind === 'connecting' || before.kind === 'pausing') clearTimeout(before.giveUp);
    if (before.kind === 'open') {
      const reason = dead('it opened a new link');
      this.#lost(before.session, reason);
      before.link.close(reason);
    }
    this.#environment.log.info({ peer: this.id, remote: link.remote, opener: agreed.opener }, 'link is up');
    this.#listeners.link({ peer: this.id, up: true });
    for (const { tell } of this.#waiting.splice(0)) tell(session);
  }

  /** A frame has come over a link of this peer. Throws KRG_PEER_PROTOCOL. */
  receive(link: Link, frame: Frame): void {
    if (this.#state.kind === 'open' && this.#state.link === link) this.#state.session.receive(frame);
  }

  /** A link of this peer has ended. */
  linkClosed(link: Link, reason: KorriganError): void {
    if (this.#state.kind !== 'open' || this.#state.link !== link) return;
    const { session } = this.#state;
    this.#state = { kind: 'idle' };
    this.#hasFallenSilent = link.hasFallenSilent;
    this.#lost(session, reason);
  }

  /** Ends the link and whatever waits. `goodbye` tells the peer. */
  close(reason: KorriganError, goodbye: boolean): void {
    const state = this.#state;
    if (state.kind === 'open' && goodbye) state.link.goodbye(reason);
    else if (state.kind === 'open') state.link.close(reason);
    else this.#fail(reason);
  }

  #lost(session: Session, reason: KorriganError): void {
    this.#environment.log.warn({ peer: this.id, code: reason.code, reason: reason.message }, 'link is down');
    session.closed(reason);
    this.#listeners.link({ peer: this.id, up: false, reason });
  }

  #connect(giveUp: NodeJS.Timeout, pauseMs: number): void {
    const { trust, limits } = this.#environment;
    // Whom it believes is for `trust.peerOf` to say, here as on the accepting side.
    const socket = connect({
      ...this.address,
      secureContext: trust.context,
      ALPNProtocols: [LINK_PROTOCOL],
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    });
    let link: Link | undefined;
    let isAbandoned = false;
    const abandon = (): void => {
      isAbandoned = true;
      if (link === undefined) socket.destroy();
      else link.close(new KorriganError(DUPLICATE_LINK, 'another link is used'));
    };
    this.#state = { kind: 'connecting', giveUp, pauseMs, abandon };

    const failed = (reason: KorriganError): void => {
      if (!isAbandoned) this.#attemptFailed(reason);
    };
    let isOpen = false;
    socket.once('connect', () => {
      isOpen = true;
      if (!this.#hasFallenSilent) this.#listeners.port({ peer: this.id, isOpen });
    });
    const onError = (cause: Error): void => {
      if (!isOpen) this.#listeners.port({ peer: this.id, isOpen });
      const { code, message } = tlsFailure(cause);
      failed(new KorriganError(code, `node ${this.id} at ${this.address.host}:${this.address.port}: ${message}`, { cause }));
    };
    socket.once('error', onError);
    socket.once('secureConnect', () => {
      socket.off('error', onError);
      const peer = trust.peerOf(socket);
      if (peer instanceof KorriganError) {
        refuseConnection(socket, peer, limits.handshakeMs);
        failed(peer);
        return;
      }
      link = this.#shakeHands(socket, peer, failed, () => {
        // The attempt has become the link: adopting it must not abandon it.
        isAbandoned = true;
        this.#state = { kind: 'idle' };
        clearTimeout(giveUp);
      });
    });
  }

  #shakeHands(socket: TLSSocket, certified: CertifiedNode, failed: (reason: KorriganError) => void, succeeded: () => void): Link {
    const { next, send } = greet(this.#environment.own, this.id, this.#lastLink, certified);
    let isLink = false;
    const link: Link = new Link(socket, next, send, this.#environment.limits, {
      opened: (agreed) => {
        // It may have been revoked since TLS has looked.
        const refusal = this.#environment.trust.revocationOf({ id: agreed.peer, serial: agreed.serial });
        if (refusal !== undefined) {
          link.goodbye(refusal);
          return;
        }
        isLink = true;
        succeeded();
        this.adopt(link, agreed);
      },
      frame: (frame) => this.receive(link, frame),
      closed: (reason) => {
        if (isLink) this.linkClosed(link, reason);
        else failed(reason);
      },
    });
    return link;
  }

  #attemptFailed(reason: KorriganError): void {
    if (this.#state.kind !== 'connecting') return;
    const { giveUp, pauseMs } = this.#state;
    const isDuplicate = reason.code === DUPLICATE_LINK;
    if (!isDuplicate) {
      this.#lastFailure = reason;
      this.#environment.log.debug({ peer: this.id, code: reason.code, reason: reason.message }, 'could not connect');
    }
    if (FINAL.has(reason.code)) {
      this.#environment.log.warn({ peer: this.id, code: reason.code, reason: reason.message }, 'the peer was refused');
      this.#fail(reason);
      return;
    }
    const nextPauseMs = Math.min(pauseMs * 2, this.#environment.limits.reconnectLastMs);
    const pause = setTimeout(() => this.#connect(giveUp, nextPauseMs), pauseMs);
    this.#state = { kind: 'pausing', giveUp, pause };
  }

  /** For those who have waited long enough. For who came later it begins anew: the peer may have just come up. */
  #giveUp(): void {
    const cause = this.#lastFailure;
    const why = cause === undefined ? 'it did not answer' : cause.message;
    const now = performance.now();
    const later = this.#waiting.filter(({ untilMs }) => untilMs > now + LEAST_PATIENCE_MS);
    this.#waiting = this.#waiting.filter(({ untilMs }) => untilMs <= now + LEAST_PATIENCE_MS);
    this.#fail(dead(`node ${this.id} cannot be reached: ${why}`, cause === undefined ? undefined : { cause }));
    const [first] = later;
    if (first === undefined) return;
    this.#waiting.unshift(...later);
    if (this.#state.kind === 'idle')
      this.#connect(
        setTimeout(() => this.#giveUp(), first.untilMs - now),
        this.#environment.limits.reconnectFirstMs,
      );
  }

  /** Ends the attempts; what waits gets `reason`. */
  #fail(reason: KorriganError): void {
    const state = this.#state;
    this.#state = { kind: 'idle' };
    if (state.kind === 'connecting') state.abandon();
    if (state.kind === 'pausing') clearTimeout(state.pause);
    if (state.kind === 'connecting' || state.kind === 'pausing') clearTimeout(state.giveUp);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { tell } of waiting) tell(reason);
  }
}
