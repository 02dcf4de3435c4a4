/** Nice values that users give to processes of the cluster, with the rules of setpriority(2) for who may. */
import { readdirSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import type { Container } from '../../container/index.ts';
import { KorriganError } from '../../linux/errors.ts';
import { isErrno, parseStat } from '../../linux/index.ts';
import { defineCall } from '../../rpc/index.ts';
import type { ReniceRequest } from '../api/schemas.ts';
import { ignoreEnded } from './process-list.ts';
import { noSuchProcess } from './whereabouts.ts';

/** Gives all threads of a process that runs on the node another nice value. */
export const reniceProcess = defineCall(
  'node.renice',
  z.object({ pid: z.int(), nice: z.int().optional(), by: z.int().optional(), uid: z.int() }),
  z.object({ before: z.int(), after: z.int() }),
);

const LOWEST = -20;
const HIGHEST = 19;
const PRIO_PROCESS = 0;

/** What decides whether a nice value may be set. */
export interface ReniceCase {
  /** Effective user of the caller. */
  readonly uid: number;
  /** Of the process. */
  readonly owners: { readonly real: number; readonly effective: number };
  readonly before: number;
  readonly after: number;
  /** RLIMIT_NICE of the process: 20 less the lowest nice value that it may have, getrlimit(2). */
  readonly limit: number;
}

/** As the kernel decides (set_one_prio in kernel/sys.c); undefined: it may be set. */
export function refusal({ uid, owners, before, after, limit }: ReniceCase): 'EPERM' | 'EACCES' | undefined {
  if (uid === 0) return undefined;
  if (uid !== owners.real && uid !== owners.effective) return 'EPERM';
  return after < before && 20 - after > limit ? 'EACCES' : undefined;
}

/**
 * @param uid who asks
 * @throws KorriganError KRG_NO_SUCH_PROCESS, KRG_PROCESS_ELSEWHERE, KRG_NOT_YOUR_PROCESS, KRG_PERMISSION
 */
export function reniceLocally(
  container: Container,
  isHusk: (pid: number) => boolean,
  { pid, nice, by, uid }: ReniceRequest & { readonly uid: number },
): { before: number; after: number } {
  const directory = `${container.procfsPath}/${pid}`;
  const found = pid === 1 ? undefined : ignoreEnded(() => lookAt(directory));
  if (found === undefined) throw noSuchProcess(pid);
  if (isHusk(pid)) throw new KorriganError('KRG_PROCESS_ELSEWHERE', `process ${pid} has moved to another node`);
  const { before } = found;
  const after = Math.min(HIGHEST, Math.max(LOWEST, nice ?? before + (by ?? 0)));
  const refused = refusal({ ...found, uid, after });
  if (refused === 'EPERM')
    throw new KorriganError('KRG_NOT_YOUR_PROCESS', `process ${pid} belongs to another user; only root may renice it (EPERM)`);
  if (refused === 'EACCES')
    throw new KorriganError('KRG_PERMISSION', `you may not lower the nice value of ${pid} from ${before} to ${after}; root may (EACCES)`);
  setAll(container, directory, after, pid);
  return { before, after };
}

function lookAt(directory: string): Pick<ReniceCase, 'owners' | 'before' | 'limit'> {
  const { nice } = parseStat(readFileSync(`${directory}/stat`, 'latin1'));
  const [, real = 0, effective = 0] = (/^Uid:\t(\d+)\t(\d+)/m.exec(readFileSync(`${directory}/status`, 'latin1')) ?? []).map(Number);
  const limit = /^Max nice priority +(\S+)/m.exec(readFileSync(`${directory}/limits`, 'latin1'))?.[1];
  return { owners: { real, effective }, before: nice, limit: limit === 'unlimited' ? Infinity : Number(limit) };
}

/** For Linux a nice value belongs to a thread. Those that come meanwhile have it from their maker. */
function setAll(container: Container, directory: string, nice: number, pid: number): void {
  let set = 0;
  const done = new Set<string>();
  const threads = (): string[] => (ignoreEnded(() => readdirSync(`${directory}/task`)) ?? []).filter((thread) => !done.has(thread));
  for (let left = threads(); left.length > 0; left = threads()) {
    for (const thread of left) {
      done.add(thread);
      try {
        container.lane.call('setpriority', PRIO_PROCESS, Number(thread), nice);
        set += 1;
      } catch (error) {
        if (!isErrno(error, 'ESRCH')) throw error;
      }
    }
  }
  if (set === 0) throw noSuchProcess(pid);
}
