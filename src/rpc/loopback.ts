/** The short way from a node to itself: two sessions joined in memory. Everything is encoded and parsed as between two nodes. */
import type { NodeId } from './definition.ts';
import type { Frame } from './frame.ts';
import { Session, type SessionEnvironment } from './session.ts';
import type { Transport } from './transport.ts';

/** The session on which the node calls itself. */
export function loopbackSession(environment: SessionEnvironment, self: NodeId, life: string): Session {
  const near = new Session(
    environment,
    transportTo((frame) => far.receive(frame)),
    self,
    life,
    true,
  );
  const far: Session = new Session(
    environment,
    transportTo((frame) => near.receive(frame)),
    self,
    life,
    false,
  );
  return near;
}

function transportTo(receive: (frame: Frame) => void): Transport {
  return {
    // Never from within the caller, as on a link.
    send: (type, id, body, trailer) => queueMicrotask(() => receive({ type, id, body, trailer })),
    hasRoom: () => undefined,
  };
}
