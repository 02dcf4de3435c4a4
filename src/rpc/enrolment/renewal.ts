/** A node's next certificate: it makes a new key, and a node that has the authority certifies it, for whom the link's certificate says is asking. */
import { z } from 'zod';
import { isKorriganError, KorriganError } from '../../linux/errors.ts';
import type { CertificateAuthority } from '../certificates/authority.ts';
import { type NodeCredentials, ownerOf } from '../certificates/credentials.ts';
import { createSigningRequest } from '../certificates/signing-request.ts';
import { defineCall, type NodeId } from '../definition.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import type { RpcNode } from '../rpc-node.ts';

const pem = z.string().max(DEFAULT_LIMITS.handshakeBytes);
const renewal = defineCall('rpc.renew', z.object({ request: pem }), z.object({ certificate: pem }));
const PATIENCE_MILLISECONDS = 5000;

/** Answers nodes whose certificates end soon. */
export function serveRenewal(rpc: RpcNode, authority: CertificateAuthority): void {
  rpc.handle(renewal, async ({ request }, { caller }) => ({ certificate: await authority.issue(request, caller) }));
}

/**
 * Asks one node after the other. @param authority its certificate, PEM
 * @throws KorriganError KRG_NOT_SUPPORTED when no node that can be reached has the authority
 */
export async function renewCredentials(rpc: RpcNode, authority: string): Promise<NodeCredentials> {
  const { key, request } = await createSigningRequest();
  const refusals: string[] = [];
  for (const node of rpc.peers) {
    try {
      const { certificate } = await rpc.call(node, renewal, { request }, { deadlineMs: PATIENCE_MILLISECONDS });
      return checked({ key, certificate, authority }, rpc.id);
    } catch (error) {
      if (!isKorriganError(error)) throw error;
      refusals.push(`node ${node}: ${error.code === 'KRG_NO_SUCH_CALL' ? 'it does not have the authority' : error.message}`);
    }
  }
  throw new KorriganError(
    'KRG_NOT_SUPPORTED',
    `no node renews the certificate of this one (${refusals.join('; ') || 'it knows no other'})`,
  );
}

function checked(credentials: NodeCredentials, id: NodeId): NodeCredentials {
  if (ownerOf(credentials).id === id) return credentials;
  throw new KorriganError('KRG_PEER_IDENTITY', `the certificate that came is not for node ${id}`);
}
