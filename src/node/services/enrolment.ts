/** Tokens for nodes that are to join, and the end of certificates, for those who may run the daemons. */
import { PID_LIMIT } from '../../container/index.ts';
import { forget, type HotPlug, type Membership, type View } from '../../hotplug/index.ts';
import type { NodeCertificates } from '../certificates.ts';
import type { EventLog } from '../events.ts';
import { LARGEST_NODE } from '../network.ts';
import { checkRights } from './rights.ts';
import type { EnrolmentServices } from './services.ts';

export interface EnrolmentOptions {
  readonly membership: Membership;
  readonly hotPlug: HotPlug;
  readonly certificates: NodeCertificates;
  readonly pidsPerNode: number;
  readonly events: EventLog;
}

export function createEnrolment({ membership, hotPlug, certificates, pidsPerNode, events }: EnrolmentOptions): EnrolmentServices {
  const { address, port } = membership.self;
  // Node k has the pids from k times the width.
  const last = Math.min(LARGEST_NODE, Math.floor(PID_LIMIT / pidsPerNode) - 1);
  /** A node that was enrolled has an id, and no name before it is a member. */
  const idOf = (reference: string): number => (/^[1-9]\d{0,8}$/.test(reference) ? Number(reference) : membership.find(reference).id);

  return {
    token: (caller, { seconds }) => {
      checkRights(caller, 'let nodes join');
      const { token, id, expires } = certificates.createToken(last, seconds * 1000);
      return Promise.resolve({ token, id, address: `${address}:${port}`, expires });
    },

    revoke: async (caller, { node }) => {
      checkRights(caller, 'revoke the certificate of a node');
      const id = idOf(node);
      const { number } = await certificates.revoke(id);
      const isAbsent = (view: Pick<View, 'nodes'>): boolean =>
        view.nodes.some((known) => known.id === id && known.isJoined === true && known.state === 'possible');
      // One that came with a token and is not up will not come back.
      if (isAbsent({ nodes: membership.members })) await hotPlug.change((view) => (isAbsent(view) ? forget(view, id) : view));
      events.record('node.revoked', `the certificates of node ${id} were revoked`);
      return { id, list: number };
    },
  };
}
