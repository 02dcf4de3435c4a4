import { KorriganError } from '../../linux/errors.ts';
import { parseDuration } from '../durations.ts';
import { nodeClient } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { printJson } from '../output.ts';
import { waitOptions } from '../sync-texts.ts';

export interface BarrierOptions extends CommonOptions {
  readonly timeout?: string;
  readonly user?: string;
}

/** Waits until so many have come to the barrier, on whatever nodes. */
export async function barrier(name: string, parties: string, options: BarrierOptions): Promise<number> {
  if (!/^[1-9]\d{0,6}$/.test(parties) || Number(parties) > 1_000_000)
    throw new KorriganError('KRG_USAGE', `"${parties}" is no number of parties: a number from 1 to 1000000`);
  const timeoutMs = options.timeout === undefined ? undefined : parseDuration(options.timeout);
  await using session = await nodeClient(options).sync(`krg barrier ${name} ${parties}`.replaceAll(/\p{Cc}/gu, '?').slice(0, 120));
  const isSerial = await session.barrier(name, Number(parties), waitOptions(name, timeoutMs, options.user));
  if (options.json === true) printJson({ barrier: name, parties: Number(parties), serial: isSerial });
  return 0;
}
