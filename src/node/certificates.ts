/** The certificates of a node's daemon: its own, renewed in time; the authority, where this machine has it; and who is not believed any more. */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { isKorriganError, KorriganError } from '../linux/errors.ts';
import {
  CertificateAuthority,
  defineNotice,
  Enrolment,
  type NewToken,
  type NodeCredentials,
  type NodeId,
  NOTHING_REVOKED,
  readCredentials,
  readPrivateFileIfPresent,
  readRevocationList,
  renewCredentials,
  replacePrivateFile,
  type RevocationList,
  type RpcNode,
  serveRenewal,
  Trust,
  writeCredentials,
} from '../rpc/index.ts';
import { clusterDirectory, nodeDirectory } from './api/index.ts';

/** Passes on the signed list of revoked certificates, PEM; one that is older than what the receiver has is ignored. */
const revoked = defineNotice('node.revoked', z.object({ list: z.string().max(1 << 20) }));

/** Between two looks at the time that is left: at most, and at least. */
const LONGEST_PAUSE_MILLISECONDS = 60 * 60 * 1000;
const SHORTEST_PAUSE_MILLISECONDS = 1000;
/** A certificate is renewed when this part of its time is left. */
const RENEWAL_PART = 1 / 3;

const authorityDirectory = (cluster: string): string => join(clusterDirectory(cluster), 'authority');
const credentialsPath = (cluster: string, id: NodeId): string => join(nodeDirectory(cluster, id), 'identity.pem');
const revokedPath = (cluster: string, id: NodeId): string => join(nodeDirectory(cluster, id), 'revoked.pem');

/** Makes the authority of a new cluster, and a key and certificate for each of its nodes, whose directories exist. */
export async function createCertificates(cluster: string, nodes: readonly NodeId[]): Promise<void> {
  const authority = await CertificateAuthority.create(authorityDirectory(cluster), cluster);
  await Promise.all(nodes.map(async (id) => writeCredentials(credentialsPath(cluster, id), await authority.credentialsFor(id))));
}

/** Whether it is time for another certificate. */
export function isRenewalDue({ validFrom, validTo }: Pick<Trust, 'validFrom' | 'validTo'>, now: number): boolean {
  return validTo.getTime() - now < (validTo.getTime() - validFrom.getTime()) * RENEWAL_PART;
}

/** When to look again: when renewal is due, and, when it did not succeed, several times before the certificate ends. */
export function pauseBeforeRenewal({ validFrom, validTo }: Pick<Trust, 'validFrom' | 'validTo'>, now: number): number {
  const left = validTo.getTime() - now;
  const beforeDue = left - (validTo.getTime() - validFrom.getTime()) * RENEWAL_PART;
  const pause = beforeDue > 0 ? beforeDue + 1 : left / 4;
  return Math.min(LONGEST_PAUSE_MILLISECONDS, Math.max(SHORTEST_PAUSE_MILLISECONDS, pause));
}

interface Parts {
  readonly cluster: string;
  readonly id: NodeId;
  readonly trust: Trust;
  /** Undefined where this machine does not have it. */
  readonly authority: CertificateAuthority | undefined;
  readonly log: Logger;
}

export class NodeCertificates implements Disposable {
  readonly trust: Trust;
  readonly #parts: Parts;
  readonly #enrolment: Enrolment | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;
  #rpc: RpcNode | undefined;

  private constructor(parts: Parts) {
    const { authority, cluster } = parts;
    this.trust = parts.trust;
    this.#parts = parts;
    this.#enrolment = authority === undefined ? undefined : new Enrolment(authority, authorityDirectory(cluster));
  }

  /** @throws KorriganError KRG_PEER_IDENTITY when the node's certificate is of another node, KRG_PERMISSION when others can read its key */
  static async open({ cluster, id, log }: Pick<Parts, 'cluster' | 'id' | 'log'>): Promise<NodeCertificates> {
    const credentials = readCredentials(credentialsPath(cluster, id));
    const trust = new Trust(credentials, await knownRevocations(cluster, id, credentials));
    if (trust.self.cluster !== cluster || trust.self.id !== id)
      throw new KorriganError(
        'KRG_PEER_IDENTITY',
        `the certificate of node ${id} of ${cluster} is of node ${trust.self.id} of ${trust.self.cluster}`,
      );
    const certificates = new NodeCertificates({ cluster, id, trust, authority: await openAuthority(cluster), log });
    await certificates.#watch();
    return certificates;
  }

  /** Answers nodes that ask for a certificate; undefined where this machine does not have the authority. */
  get enrol(): ((token: string, request: string) => Promise<string>) | undefined {
    const enrolment = this.#enrolment;
    return enrolment === undefined ? undefined : (token, request) => enrolment.enrol(token, request);
  }

  /** From now on revocations are told to the other nodes and taken from them. */
  join(rpc: RpcNode): void {
    this.#rpc = rpc;
    if (this.#parts.authority !== undefined) serveRenewal(rpc, this.#parts.authority);
    rpc.handleNotice(revoked, async ({ list }) => this.#believe(await readRevocationList(list, this.trust.authority)));
    // Who was away when it was told.
    rpc.onLinkChange(({ peer, up }) => {
      if (up && this.trust.revoked.number > 0) rpc.notify(peer, revoked, { list: this.trust.revoked.pem });
    });
  }

  /** A token for one more node. @param last the largest id @throws KorriganError KRG_NOT_SUPPORTED where the authority is not */
  createToken(last: NodeId, validMs: number): NewToken {
    if (this.#enrolment === undefined) throw noAuthority();
    return this.#enrolment.createToken(last, validMs);
  }

  /** Revokes all certificates of a node, here and on all nodes that can be reached now; the others hear of it when they are back. */
  async revoke(id: NodeId): Promise<RevocationList> {
    const { authority, id: self } = this.#parts;
    if (authority === undefined) throw noAuthority();
    if (id === self)
      throw new KorriganError('KRG_BAD_REQUEST', `node ${id} is the one that is asked: ask another one to revoke its certificate`);
    const list = await authority.revoke(id);
    this.#believe(list);
    for (const peer of this.#rpc?.peers ?? []) this.#rpc?.notify(peer, revoked, { list: list.pem });
    return list;
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #believe(list: RevocationList): void {
    const { cluster, id, log } = this.#parts;
    const isNews = this.#rpc === undefined ? this.trust.revoke(list) : this.#rpc.revoke(list);
    if (!isNews) return;
    replacePrivateFile(revokedPath(cluster, id), list.pem);
    log.warn({ number: list.number, certificates: [...list.serials] }, 'certificates are revoked');
  }

  /** Renews when it is time, and looks again later. */
  async #watch(): Promise<void> {
    const { trust, log } = this.#parts;
    if (isRenewalDue(trust, Date.now())) {
      await this.#renew().catch((error: unknown) =>
        log.error({ validTo: trust.validTo, error }, 'the certificate of this node ends soon and could not be renewed'),
      );
    }
    if (!this.#isClosed) this.#timer = setTimeout(() => void this.#watch(), pauseBeforeRenewal(trust, Date.now())).unref();
  }

  async #renew(): Promise<void> {
    const { cluster, id, trust, authority, log } = this.#parts;
    // Where the authority is not, others are asked as soon as there are links.
    if (authority === undefined && this.#rpc === undefined) return;
    const credentials =
      authority === undefined ? await renewCredentials(this.#rpc as RpcNode, trust.authority) : await authority.credentialsFor(id);
    writeCredentials(credentialsPath(cluster, id), credentials);
    if (this.#rpc === undefined) trust.renew(credentials);
    else this.#rpc.renew(credentials);
    log.info({ validTo: trust.validTo }, 'the certificate of this node is renewed');
  }
}

async function openAuthority(cluster: string): Promise<CertificateAuthority | undefined> {
  try {
    return await CertificateAuthority.open(authorityDirectory(cluster), cluster);
  } catch (error) {
    if (!isKorriganError(error) && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function knownRevocations(cluster: string, id: NodeId, { authority }: NodeCredentials): Promise<RevocationList> {
  const text = readPrivateFileIfPresent(revokedPath(cluster, id));
  return text === undefined ? NOTHING_REVOKED : readRevocationList(text, authority);
}

function noAuthority(): KorriganError {
  return new KorriganError(
    'KRG_NOT_SUPPORTED',
    'this node does not have the authority of the cluster: ask a node of the machine where krg up ran',
  );
}
