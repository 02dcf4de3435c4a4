/**
 * The certificate authority of a cluster: a directory that only its owner can enter, with its key, its certificate, a line for every
 * certificate that it has issued and the list of those that it has revoked. Whoever can read the key is the authority, so several daemons of
 * one machine may use one directory at a time.
 */
import { createPrivateKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { KorriganError } from '../../linux/errors.ts';
import type { NodeId } from '../definition.ts';
import type { NodeCredentials } from './credentials.ts';
import { identityURI } from './identity.ts';
import { createPrivateFile, readPrivateFile, readPrivateFileIfPresent } from './private-files.ts';
import { extendRevocationList, NOTHING_REVOKED, readRevocationList, type RevocationList } from './revocation-list.ts';
import { createKeyPair, createSigningRequest, KEY_ALGORITHM, privateKeyPEM, requestedKey, SIGNATURE_ALGORITHM } from './signing-request.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const AUTHORITY_DAYS = 3650;
/** How long a certificate of a node is valid. */
export const NODE_CERTIFICATE_DAYS = 30;
/** Certificates are valid from a little before they are made: the nodes' clocks differ. */
const BACKDATED_MS = 5 * 60 * 1000;
/** Of a serial number; at most 20, and positive (RFC 5280 §4.1.2.2). */
const SERIAL_BYTES = 16;
const LIST_NAME = /^revoked-([1-9]\d*)\.pem$/;

const issuedLine = z.object({ serial: z.string(), id: z.int().positive(), notAfter: z.number() });
type Issued = z.infer<typeof issuedLine>;

export class CertificateAuthority {
  readonly cluster: string;
  /** Its certificate, PEM. */
  readonly certificate: string;
  readonly #directory: string;
  readonly #key: webcrypto.CryptoKey;

  private constructor(directory: string, cluster: string, certificate: string, key: webcrypto.CryptoKey) {
    this.#directory = directory;
    this.cluster = cluster;
    this.certificate = certificate;
    this.#key = key;
  }

  /** Makes an authority in a directory that does not exist yet. @throws KorriganError KRG_BAD_REQUEST for a name that a certificate cannot hold */
  static async create(directory: string, cluster: string): Promise<CertificateAuthority> {
    identityURI({ cluster, id: 1 });
    const { BasicConstraintsExtension, KeyUsageFlags, KeyUsagesExtension, SubjectKeyIdentifierExtension, X509CertificateGenerator } =
      await import('./x509.ts');
    const keys = await createKeyPair();
    const certificate = await X509CertificateGenerator.createSelfSigned({
      serialNumber: newSerial(),
      name: authorityName(cluster),
      ...validFor(AUTHORITY_DAYS),
      keys,
      signingAlgorithm: SIGNATURE_ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    mkdirSync(directory, { mode: 0o700 });
    createPrivateFile(join(directory, 'key.pem'), privateKeyPEM(keys.privateKey));
    const pem = `${certificate.toString('pem')}\n`;
    writeFileSync(join(directory, 'certificate.pem'), pem);
    return new CertificateAuthority(directory, cluster, pem, keys.privateKey);
  }

  /** Opens the authority that was made in a directory. @throws KorriganError KRG_PERMISSION when others can read its key */
  static async open(directory: string, cluster: string): Promise<CertificateAuthority> {
    const key = createPrivateKey(readPrivateFile(join(directory, 'key.pem')));
    const certificate = readFileSync(join(directory, 'certificate.pem'), 'utf8');
    if (!new X509Certificate(certificate).checkPrivateKey(key))
      throw new KorriganError('KRG_BAD_REQUEST', `the key and the certificate in ${directory} do not belong together`);
    const der = key.export({ type: 'pkcs8', format: 'der' });
    const imported = await webcrypto.subtle.importKey('pkcs8', der, KEY_ALGORITHM, false, ['sign']);
    return new CertificateAuthority(directory, cluster, certificate, imported);
  }

  /**
   * A certificate for a node, which says that the key of the request is this node's.
   * @param request PKCS #10, PEM @returns PEM @throws KorriganError KRG_BAD_REQUEST
   */
  async issue(request: string, id: NodeId, days: number = NODE_CERTIFICATE_DAYS): Promise<string> {
    const publicKey = await requestedKey(request);
    const x509 = await import('./x509.ts');
    const serial = newSerial();
    const validity = validFor(days);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial,
      subject: `CN=node ${id} of ${this.cluster}`,
      issuer: authorityName(this.cluster),
      ...validity,
      publicKey,
      signingKey: this.#key,
      signingAlgorithm: SIGNATURE_ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth, x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension([{ type: 'url', value: identityURI({ cluster: this.cluster, id }) }]),
        await x509.SubjectKeyIdentifierExtension.create(publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(new x509.X509Certificate(this.certificate)),
      ],
    });
    const line: Issued = {
      serial: new X509Certificate(certificate.toString('pem')).serialNumber,
      id,
      notAfter: validity.notAfter.getTime(),
    };
    appendFileSync(join(this.#directory, 'issued'), `${JSON.stringify(line)}\n`, { mode: 0o600, flush: true });
    return `${certificate.toString('pem')}\n`;
  }

  /** A new key for a node of this machine, with its certificate. */
  async credentialsFor(id: NodeId, days?: number): Promise<NodeCredentials> {
    const { key, request } = await createSigningRequest();
    return { key, certificate: await this.issue(request, id, days), authority: this.certificate };
  }

  /** Ids of all nodes that were ever given a certificate. */
  get issuedIds(): Set<NodeId> {
    return new Set(this.#issued().map(({ id }) => id));
  }

  /** What is revoked now. */
  async revocationList(): Promise<RevocationList> {
    const numbers = readdirSync(this.#directory).map((name) => Number(LIST_NAME.exec(name)?.[1] ?? 0));
    const last = Math.max(...numbers);
    return last === 0 ? NOTHING_REVOKED : readRevocationList(readPrivateFile(this.#listPath(last)), this.certificate);
  }

  /**
   * Revokes every certificate of a node that is still valid. @returns the new list
   * @throws KorriganError KRG_NO_SUCH_NODE when it has none that is not revoked
   */
  async revoke(id: NodeId): Promise<RevocationList> {
    for (;;) {
      const next = await this.#listThatNames(id);
      try {
        createPrivateFile(this.#listPath(next.number), next.pem);
        return next;
      } catch (error) {
        // Another daemon has made the list of this number: the next one has to name what is on that, too.
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }

  async #listThatNames(id: NodeId): Promise<RevocationList> {
    const list = await this.revocationList();
    const serials = this.#issued()
      .filter((issued) => issued.id === id && issued.notAfter > Date.now() && !list.serials.has(issued.serial))
      .map(({ serial }) => serial);
    if (serials.length === 0) throw new KorriganError('KRG_NO_SUCH_NODE', `node ${id} has no certificate that could be revoked`);
    return extendRevocationList(list, serials, { name: authorityName(this.cluster), key: this.#key });
  }

  #listPath(number: number): string {
    return join(this.#directory, `revoked-${number}.pem`);
  }

  #issued(): Issued[] {
    const text = readPrivateFileIfPresent(join(this.#directory, 'issued')) ?? '';
    const lines = text.split('\n').filter((line) => line !== '');
    return lines.map((line) => issuedLine.parse(JSON.parse(line)));
  }
}

const authorityName = (cluster: string): string => `CN=Korrigan cluster ${cluster}`;

/** Random, and below 0x80 in front so that DER needs no zero before it. */
function newSerial(): string {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}

function validFor(days: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  const lifetime = days * DAY_MS;
  return { notBefore: new Date(now - Math.min(BACKDATED_MS, lifetime / 10)), notAfter: new Date(now + lifetime) };
}
