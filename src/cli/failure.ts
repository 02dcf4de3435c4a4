/** How a command that fails says so: on stderr, what / why / what to do and the stable code, or as JSON; and with which exit status. */
import { styleText } from 'node:util';
import { errorKind, toKorriganError } from '../linux/errors.ts';

/** Exit status of a usage error. */
export const USAGE = 2;

/** Prints `error` and returns the exit status that goes with it. */
export function reportFailure(error: unknown, json: boolean, program = 'krg'): number {
  const shown = toKorriganError(error);
  if (json) process.stderr.write(`${JSON.stringify({ error: shown.toJSON() })}\n`);
  else process.stderr.write(`${styleText('red', `${program}:`, { stream: process.stderr })} ${shown.message} (${shown.code})\n`);
  if (process.env['KRG_DEBUG'] !== undefined && error instanceof Error) process.stderr.write(`${describeCauses(error)}\n`);
  return errorKind(shown.code).exit;
}

function describeCauses(error: Error): string {
  const own = error.stack ?? error.message;
  return error.cause instanceof Error ? `${own}\ncaused by ${describeCauses(error.cause)}` : own;
}
