/** The ticket of a move: a secret for the one connection over which the processes go. It travels over a link of the cluster, which is encrypted, and is kept nowhere. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { SharedSecret } from '../mm/index.ts';

const SECRET_SIZE = 32;

export const ticketSchema = z.string().regex(/^[0-9a-f]{64}$/);

export function newTicket(): string {
  return randomBytes(SECRET_SIZE).toString('hex');
}

/** What keys of the connection are made from. @param migration the id of the move */
export function secretOf(ticket: string, migration: string): SharedSecret {
  return { secret: Buffer.from(ticket, 'hex'), conversation: migration };
}
