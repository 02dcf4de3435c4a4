/** Signals by name and by number, as kill(1) and signal(7) know them. */
import { constants } from 'node:os';
import { KorriganError } from '../linux/errors.ts';

/** Real-time signals as the C library counts them: it keeps the first two. */
const REAL_TIME_MINIMUM = 34;
const REAL_TIME_MAXIMUM = 64;

/** Names that mean a number which has another name. */
const ALIASES = new Set(['SIGIOT', 'SIGPOLL', 'SIGUNUSED']);

/** Names without SIG, by number. */
export const SIGNAL_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.signals)
    .filter(([name]) => !ALIASES.has(name))
    .map(([name, number]) => [number, name.slice(3)]),
);

/** The number of `9`, `KILL`, `SIGKILL`, `RTMIN+3`, `RTMAX-1`. @throws KorriganError KRG_USAGE */
export function parseSignal(text: string): number {
  if (/^\d+$/.test(text) && Number(text) <= REAL_TIME_MAXIMUM) return Number(text);
  const name = text.toUpperCase().replace(/^SIG/, '');
  const known = constants.signals[`SIG${name}` as NodeJS.Signals] as number | undefined;
  if (known !== undefined) return known;
  const realTime = /^RT(?<end>MIN|MAX)(?<distance>[+-]\d+)?$/.exec(name)?.groups;
  if (realTime !== undefined) {
    const number = (realTime['end'] === 'MIN' ? REAL_TIME_MINIMUM : REAL_TIME_MAXIMUM) + Number(realTime['distance'] ?? 0);
    if (number >= REAL_TIME_MINIMUM && number <= REAL_TIME_MAXIMUM) return number;
  }
  throw new KorriganError('KRG_USAGE', `there is no signal "${text}"; \`krg kill -l\` lists them`);
}
