/** The list of certificates that are not to be believed any more (CRL, RFC 5280 §5), signed by the authority. */
import { type webcrypto, X509Certificate } from 'node:crypto';
import { KorriganError } from '../../linux/errors.ts';
import { SIGNATURE_ALGORITHM } from './signing-request.ts';

export interface RevocationList {
  /** Grows with every revocation (RFC 5280 §5.2.3): of two lists the one with the larger number counts. */
  readonly number: number;
  /** Serial numbers, upper-case hexadecimal. */
  readonly serials: ReadonlySet<string>;
  /** The signed list, PEM: what is kept and passed on. */
  readonly pem: string;
}

export const NOTHING_REVOKED: RevocationList = { number: 0, serials: new Set(), pem: '' };

/** As `X509Certificate.serialNumber` writes it: upper case, no zeros in front. */
export function normalizedSerial(hexadecimal: string): string {
  return hexadecimal.toUpperCase().replace(/^0+(?=.)/, '');
}

const CRL_NUMBER = '2.5.29.20';
const DER_INTEGER = 0x02;
const NEXT_UPDATE_MS = 3650 * 24 * 60 * 60 * 1000;

/** What the authority signs a list with. */
export interface ListSigner {
  /** Subject of its certificate. */
  readonly name: string;
  readonly key: webcrypto.CryptoKey;
}

/** The list after `list` that also names the certificate `serials`. */
export async function extendRevocationList(list: RevocationList, serials: readonly string[], signer: ListSigner): Promise<RevocationList> {
  const { Extension, X509CrlGenerator } = await import('./x509.ts');
  const number = list.number + 1;
  const all = new Set([...list.serials, ...serials.map(normalizedSerial)]);
  const signed = await X509CrlGenerator.create({
    issuer: signer.name,
    signingKey: signer.key,
    signingAlgorithm: SIGNATURE_ALGORITHM,
    // Required (RFC 5280 §5.1.2.5), and without meaning here: a new list is told to all nodes at once.
    nextUpdate: new Date(Date.now() + NEXT_UPDATE_MS),
    entries: Array.from(all, (serialNumber) => ({ serialNumber: evenDigits(serialNumber) })),
    extensions: [new Extension(CRL_NUMBER, false, encodeInteger(number))],
  });
  return { number, serials: all, pem: signed.toString('pem') };
}

/**
 * @param authority its certificate, PEM
 * @throws KorriganError KRG_PEER_UNAUTHENTICATED when the list is not signed by the authority, KRG_BAD_REQUEST when it is none
 */
export async function readRevocationList(pem: string, authority: string): Promise<RevocationList> {
  const { PublicKey, X509Crl } = await import('./x509.ts');
  const publicKey = new PublicKey(new X509Certificate(authority).publicKey.export({ type: 'spki', format: 'der' }));
  let read: RevocationList & { readonly isSigned: boolean };
  try {
    const list = new X509Crl(pem);
    const number = list.getExtension(CRL_NUMBER);
    read = {
      number: number === null ? 0 : decodeInteger(new Uint8Array(number.value)),
      serials: new Set(list.entries.map(({ serialNumber }) => normalizedSerial(serialNumber))),
      pem: list.toString('pem'),
      isSigned: await list.verify({ publicKey }),
    };
  } catch (cause) {
    throw new KorriganError('KRG_BAD_REQUEST', 'a list of revoked certificates cannot be read', { cause });
  }
  const { isSigned, ...list } = read;
  // No list is made that revokes nothing; the library reads one so when a part that it expects is missing.
  if (list.serials.size === 0) throw new KorriganError('KRG_BAD_REQUEST', 'a list of revoked certificates names none');
  if (isSigned) return list;
  throw new KorriganError('KRG_PEER_UNAUTHENTICATED', "a list of revoked certificates is not signed by the cluster's authority");
}

/** DER, X.690 §8.3: the fewest bytes, the first of which is below 0x80 as the number is not negative. */
function encodeInteger(value: number): Uint8Array<ArrayBuffer> {
  const digits = evenDigits(value.toString(16));
  const content = Buffer.from(/^[89a-f]/.test(digits) ? `00${digits}` : digits, 'hex');
  return Uint8Array.of(DER_INTEGER, content.length, ...content);
}

function decodeInteger([tag, length, ...content]: Uint8Array): number {
  const value = Number(`0x${Buffer.from(content).toString('hex') || 'none'}`);
  if (tag === DER_INTEGER && length === content.length && Number.isSafeInteger(value)) return value;
  throw new TypeError('the number of the list is no integer');
}

const evenDigits = (hexadecimal: string): string => (hexadecimal.length % 2 === 0 ? hexadecimal : `0${hexadecimal}`);
