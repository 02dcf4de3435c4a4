import { KorriganError } from '../linux/errors.ts';

/** @throws KorriganError KRG_USAGE when `text` is no pid */
export function parsePid(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new KorriganError('KRG_USAGE', `"${text}" is no pid: a pid is a number from 1`);
}
