/** What object managers say to each other over rpc: packets of a channel, and leases beside it. */
import { z } from 'zod';
import { defineNotice, type NodeId, pack, unpack } from '../../rpc/index.ts';
import { type Envelope, parseEnvelope } from '../messages.ts';
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

/** On the wire: life of the sender, life of the receiver, sequence, received, then the body. */
const life = z.string().max(200);
const natural = z.int().nonnegative();
const body = z.union([
  z.tuple([z.literal('envelope'), z.unknown()]),
  z.tuple([z.literal('piece'), z.custom<Uint8Array>((value) => value instanceof Uint8Array), z.boolean()]),
  z.tuple([z.enum(['recovered', 'settled', 'left']), natural]),
]);
const packet = z.tuple([life, life, natural, natural, body.optional()]);

export const packetNotice = defineNotice('kddm.packet', packet);
/** Asks for a lease, or (`isGranted`) grants it; `askedAt` is of the clock of who asked. */
export const leaseNotice = defineNotice('kddm.lease', z.object({ askedAt: z.number(), isGranted: z.boolean() }));

type Wire = z.input<typeof packet>;

/** A frame of rpc holds 4 MiB; pieces are smaller, so that others find a gap. */
const PIECE_BYTES = 512 * 1024;
/** Of an envelope that is put together from pieces. */
const MOST_BYTES = 2 ** 30;

export function toWire({ from, to, sequence, received, body: carried }: Packet<Body>): Wire {
  if (carried === undefined) return [from, to, sequence, received];
  switch (carried.kind) {
    case 'envelope':
      return [from, to, sequence, received, ['envelope', carried.envelope]];
    case 'piece':
      return [from, to, sequence, received, ['piece', carried.bytes, carried.isLast]];
    case 'recovered':
    case 'settled':
    case 'left':
      return [from, to, sequence, received, [carried.kind, carried.epoch]];
  }
}

/** @throws KorriganError KRG_PEER_PROTOCOL */
export function fromWire([from, to, sequence, received, carried]: z.output<typeof packet>): Packet<Body> {
  const header = { from, to, sequence, received };
  if (carried === undefined) return header;
  if (carried[0] === 'envelope') return { ...header, body: { kind: 'envelope', envelope: parseEnvelope(carried[1]) } };
  if (carried[0] === 'piece') return { ...header, body: { kind: 'piece', bytes: carried[1], isLast: carried[2] } };
  return { ...header, body: { kind: carried[0], epoch: carried[1] } };
}

/** About what an envelope takes in a frame, or more than a frame holds. */
export function sizeOf({ message }: Envelope): number {
  switch (message.kind) {
    case 'KDDM_COPYSET':
    case 'KDDM_SELECT_OWNER':
      return Number.POSITIVE_INFINITY;
    case 'OBJECT_SEND':
    case 'OBJECT_SYNC':
    case 'OBJECT_BACKUP':
      return 256 + message.content.byteLength;
    default:
      return 256;
  }
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
