/** The ways in which a conversation with another node ends without an answer. */
import { KorriganError } from '../linux/errors.ts';

/** The other node does not answer any more. `what` says why one thinks so. */
export function dead(what: string, options?: ErrorOptions): KorriganError {
  return new KorriganError('KRG_NODE_DEAD', what, options);
}

export function deadlinePassed(milliseconds: number): KorriganError {
  return new KorriganError('KRG_DEADLINE', `there was no answer within ${Math.round(milliseconds)} ms`);
}

/** @param reason that of the AbortSignal */
export function cancelled(reason?: unknown): KorriganError {
  return new KorriganError('KRG_CANCELLED', 'the caller gave the call up', reason === undefined ? undefined : { cause: reason });
}
