/**
 * One link per pair of nodes. When both connect at the same time, the connection of the node with the lower id is kept; when a
 * peer connects although a link to it exists, it is believed only if it can have lost that link. Pure.
 */
import type { Hello } from './handshake.ts';

/** What this node knows of the peer that greets it. */
export interface PeerView {
  readonly ownId: number;
  /** The link that is open from this node's point of view. */
  readonly openLink: OpenLink | undefined;
  /** Whether this node is connecting to the peer at this moment. */
  readonly connecting: boolean;
}

export interface OpenLink {
  readonly id: string;
  /** The life (process) of the peer that it leads to. */
  readonly peerLife: string;
  readonly openedByPeer: boolean;
}

export type Admission = 'accept' | 'duplicate';

/**
 * Whether a connection whose peer says `hello` may become the link to it.
 *
 * * The peer was started anew: the old link is dead.
 * * The peer opened the old link itself: it would not connect again if it still had it.
 * * The peer names the old link as the last one that it had: it has lost it.
 * * Otherwise the peer greeted before it knew of the link that is open, so both connected at once, and that link stays.
 */
export function admit(view: PeerView, hello: Hello): Admission {
  const { openLink } = view;
  if (openLink !== undefined) {
    const peerHasLostIt = openLink.peerLife !== hello.life || openLink.openedByPeer || openLink.id === hello.lastLink;
    return peerHasLostIt ? 'accept' : 'duplicate';
  }
  return view.connecting && view.ownId < hello.from ? 'duplicate' : 'accept';
}
