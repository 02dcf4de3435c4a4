import { KorriganError } from '../linux/errors.ts';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** Timers of Node take no more: 24 days. */
const LONGEST = 2 ** 31 - 1;

/** Milliseconds of `10s`, `1.5m`, `500ms`; a number alone means seconds, as with flock(1) and timeout(1). @throws KorriganError KRG_USAGE */
export function parseDuration(text: string): number {
  const parts = /^(\d+(?:\.\d+)?|\.\d+)(ms|s|m|h|d)?$/.exec(text);
  const unit = UNITS[parts?.[2] ?? 's'];
  if (parts === null || unit === undefined)
    throw new KorriganError('KRG_USAGE', `"${text}" is no time: write a number and ms, s, m, h or d, such as 10s`);
  const milliseconds = Math.round(Number(parts[1]) * unit);
  if (milliseconds > LONGEST) throw new KorriganError('KRG_USAGE', `"${text}" is too long: 24 days are the most`);
  return milliseconds;
}
