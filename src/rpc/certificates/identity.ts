/**
 * Who a certificate belongs to: its one subject alternative name is the URI `spiffe://CLUSTER/node/ID` (RFC 5280 §4.2.1.6; the form is that
 * of an X.509-SVID, whose trust domain is the cluster).
 */
import type { X509Certificate } from 'node:crypto';
import { KorriganError } from '../../linux/errors.ts';
import type { NodeId } from '../definition.ts';

export interface NodeIdentity {
  readonly cluster: string;
  /** From 1. */
  readonly id: NodeId;
}

/** A node as its certificate shows it. */
export interface CertifiedNode extends NodeIdentity {
  /** Serial number of the certificate, upper-case hexadecimal. */
  readonly serial: string;
}

/** A trust domain of SPIFFE, a little shorter: small letters, digits, dots, hyphens and underscores. */
const CLUSTER = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const LARGEST_ID = 2 ** 31 - 1;
/** As `X509Certificate.subjectAltName` prints it; a second name would follow after a comma. */
const ALTERNATIVE_NAME = /^URI:spiffe:\/\/([^/,]+)\/node\/([1-9]\d{0,9})$/;

/** @throws KorriganError KRG_BAD_REQUEST for a cluster or an id that a certificate cannot name */
export function identityURI({ cluster, id }: NodeIdentity): string {
  if (!CLUSTER.test(cluster))
    throw new KorriganError('KRG_BAD_REQUEST', `a certificate cannot name the cluster ${JSON.stringify(cluster)}`);
  if (!Number.isInteger(id) || id < 1 || id > LARGEST_ID)
    throw new KorriganError('KRG_BAD_REQUEST', `a certificate cannot name node ${id}: nodes are numbered from 1`);
  return `spiffe://${cluster}/node/${id}`;
}

/** Whose certificate it is, or undefined when it is none of a node. Says nothing of who signed it. */
export function certifiedNode(certificate: X509Certificate): CertifiedNode | undefined {
  const [, cluster = '', digits = ''] = ALTERNATIVE_NAME.exec(certificate.subjectAltName ?? '') ?? [];
  const id = Number(digits);
  if (certificate.ca || !CLUSTER.test(cluster) || id < 1 || id > LARGEST_ID) return undefined;
  return { cluster, id, serial: certificate.serialNumber };
}
