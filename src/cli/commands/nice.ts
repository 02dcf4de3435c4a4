import { KorriganError } from '../../linux/errors.ts';
import { niceValue } from './renice.ts';
import { run } from './run.ts';
import type { RunOptions } from './run.ts';

export interface NiceOptions extends Omit<RunOptions, 'nice'> {
  readonly adjustment: string;
}

const LOWEST = -20;
const HIGHEST = 19;

/** Runs a program as `krg run` does, with another nice value. */
export async function nice(words: readonly string[], options: NiceOptions): Promise<number> {
  if (words.length === 0) throw new KorriganError('KRG_USAGE', 'nice: name the program: krg nice [-n ADJUSTMENT] [--node NODE] -- COMMAND');
  const value = Math.min(HIGHEST, Math.max(LOWEST, niceValue(options.adjustment)));
  return run(words, { ...options, nice: value });
}
