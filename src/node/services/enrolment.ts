/** Tokens for nodes that are to join, and the end of certificates, for those who may run the daemons. */
import { PID_LIMIT } from '../../container/index.ts';
import type { Membership } from '../../hotplug/index.ts';
import type { NodeCertificates } from '../certificates.ts';
import type { EventLog } from '../events.ts';
import { LARGEST_NODE } from '../network.ts';
import { checkRights } from './rights.ts';
import type { EnrolmentServices } from './services.ts';

export interface EnrolmentOptions {
  readonly membership: Membership;
  readonly certificates: NodeCertificates;
  readonly pidsPerNode: number;
  readonly events: EventLog;
}

export function createEnrolment({ membership, certificates, pidsPerNode, events }: EnrolmentOptions): EnrolmentServices {
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
      events.record('node.revoked', `the certificates of node ${id} were revoked`);
      return { id, list: number };
    },
  };
}
