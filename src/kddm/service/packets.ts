/** What object managers say to each other over rpc: packets of a channel, and leases beside it. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { KorriganError } from '../../linux/errors.ts';
import { defineNotice, type NodeId, pack, unpack } from '../../rpc/index.ts';
import { type Envelope, MESSAGE_MEMBERS, MESSAGE_SCHEMAS, parseEnvelope } from '../messages.ts';
import type { Packet } from './channel.ts';

/** What a packet carries. */
export type Body =
  | { readonly kind: 'envelope'; readonly envelope: Envelope }
  /** A piece of an envelope that is too large for one frame. */
  | { readonly kind: 'piece'; readonly bytes: Uint8Array; readonly isLast: boolean }
  /** To the coordinator: the sender has recovered in this epoch. From it: all members have. */
  | { readonly kind: 'recovered' | 'settled'; readonly epoch: number }
  /** The sender, which is not a member any more, has handed over all that it had, in this epoch. */
  | { readonly kind: 'left'; readonly epoch: number };

/** On the wire: an array of the members of a packet, the kind of its body, and the members of that; a message without the names of its members. */
type Wire = readonly unknown[];

const isNatural = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const HEADER_MEMBERS = 4;
/** By hand: a tuple's schema would take longer than the rest of what is done with a packet. */
export const wireSchema = z.custom<Wire>(
  (value) => Array.isArray(value) && value.length >= HEADER_MEMBERS && value.slice(0, HEADER_MEMBERS).every(isNatural),
);

export const packetNotice = defineNotice('kddm.packet', wireSchema);
/** Asks for a lease, or (`isGranted`) grants it; `askedAt` is of the clock of who asked. */
export const leaseNotice = defineNotice('kddm.lease', z.object({ askedAt: z.number(), isGranted: z.boolean() }));

const natural = z.int().nonnegative();
const pieceSchema = z.object({
  kind: z.literal('piece'),
  bytes: z.custom<Uint8Array>((value) => value instanceof Uint8Array),
  isLast: z.boolean(),
});
const toldSchema = z.object({ kind: z.enum(['recovered', 'settled', 'left']), epoch: natural });

/** A number for a life: the wire has no room for names. */
export function lifeNumber(life: string): number {
  return life === '' ? 0 : createHash('sha256').update(life).digest().readUIntBE(0, 6);
}

export function toWire({ from, to, sequence, received, body }: Packet<Body>): Wire {
  if (body === undefined) return [from, to, sequence, received];
  switch (body.kind) {
    case 'piece':
      return [from, to, sequence, received, 'piece', body.bytes, body.isLast];
    case 'recovered':
    case 'settled':
    case 'left':
      return [from, to, sequence, received, body.kind, body.epoch];
    case 'envelope': {
      const { epoch, received: handled, message } = body.envelope;
      const wire: unknown[] = [from, to, sequence, received, message.kind, epoch, handled];
      const members = message as unknown as Readonly<Record<string, unknown>>;
      for (const member of MESSAGE_MEMBERS.get(message.kind) ?? []) wire.push(members[member]);
      return wire;
    }
  }
}

/** @throws KorriganError KRG_PEER_PROTOCOL */
export function fromWire(wire: Wire): Packet<Body> {
  const [from, to, sequence, received] = wire as [number, number, number, number];
  return { from, to, sequence, received, body: wire.length > HEADER_MEMBERS ? bodyOf(wire) : undefined };
}

function bodyOf(wire: Wire): Body {
  const [, , , , kind, first, second] = wire;
  const schema = MESSAGE_SCHEMAS.get(kind);
  if (kind === 'piece') return parse(pieceSchema, { kind, bytes: first, isLast: second });
  if (schema === undefined) return parse(toldSchema, { kind, epoch: first });
  if (!isNatural(first) || !isNatural(second)) throw misunderstood('its epoch is no number');
  const message: Record<string, unknown> = { kind };
  let place = HEADER_MEMBERS + 3;
  for (const member of MESSAGE_MEMBERS.get(kind) ?? []) {
    const value = wire[place++];
    if (value !== undefined) message[member] = value;
  }
  return { kind: 'envelope', envelope: { epoch: first as number, received: second as number, message: parse(schema, message) } };
}

function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw misunderstood(z.prettifyError(result.error));
}

function misunderstood(why: string): KorriganError {
  return new KorriganError('KRG_PEER_PROTOCOL', `a packet between the object managers cannot be understood: ${why}`);
}

/** A frame of rpc holds 4 MiB; pieces are smaller, so that others find a gap. */
const PIECE_BYTES = 512 * 1024;
/** Of an envelope that is put together from pieces. */
const MOST_BYTES = 2 ** 30;

/** About what an envelope takes in a frame; those of a reconfiguration may be of any size. */
function sizeOf({ message }: Envelope): number {
  if (!MESSAGE_MEMBERS.has(message.kind)) return Number.POSITIVE_INFINITY;
  return 'content' in message ? 256 + message.content.byteLength : 256;
}

/** @returns the envelope as it travels, with the bytes that each part takes */
export function bodiesOf(envelope: Envelope): { readonly body: Body; readonly sizeBytes: number }[] {
  const sizeBytes = sizeOf(envelope);
  if (sizeBytes <= PIECE_BYTES) return [{ body: { kind: 'envelope', envelope }, sizeBytes }];
  const bytes = pack(envelope);
  const pieces: { body: Body; sizeBytes: number }[] = [];
  for (let start = 0; start < bytes.length; start += PIECE_BYTES) {
    const piece = bytes.subarray(start, start + PIECE_BYTES);
    pieces.push({ body: { kind: 'piece', bytes: piece, isLast: start + PIECE_BYTES >= bytes.length }, sizeBytes: piece.length });
  }
  return pieces;
}

/** Puts envelopes together again. */
export class Pieces {
  #pieces: Uint8Array[] = [];
  #sizeBytes = 0;

  /** @returns the envelope, when this was its last piece @throws KorriganError KRG_PEER_PROTOCOL, RangeError */
  add(bytes: Uint8Array, isLast: boolean, from: NodeId): Envelope | undefined {
    this.#pieces.push(bytes);
    this.#sizeBytes += bytes.length;
    if (this.#sizeBytes > MOST_BYTES) throw new RangeError(`node ${from} sends a message of more than ${MOST_BYTES} bytes`);
    if (!isLast) return undefined;
    const whole = Buffer.concat(this.#pieces);
    this.clear();
    return parseEnvelope(unpack(whole));
  }

  clear(): void {
    this.#pieces = [];
    this.#sizeBytes = 0;
  }
}
