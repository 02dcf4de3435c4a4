/** On which node a process is, for those who ask that node to do something with it. */
import { setTimeout as delay } from 'node:timers/promises';
import { isKorriganError, KorriganError } from '../../linux/errors.ts';
import type { ProcService } from '../../proc/index.ts';

/** How long a process is followed from node to node. */
const FOLLOWED_MILLISECONDS = 10_000;
const FOLLOWED_AGAIN_MILLISECONDS = 20;

/** Asks the node on which the process runs. One that has moved on before the question came (KRG_PROCESS_ELSEWHERE) is followed. */
export async function whereItRuns<Result>(proc: ProcService, pid: number, ask: (node: number) => Promise<Result>): Promise<Result> {
  for (const until = performance.now() + FOLLOWED_MILLISECONDS; ; await delay(FOLLOWED_AGAIN_MILLISECONDS)) {
    try {
      return await ask(await locateProcess(proc, pid));
    } catch (error) {
      if (!isKorriganError(error, 'KRG_PROCESS_ELSEWHERE') || performance.now() > until) throw error;
    }
  }
}

/** @throws KorriganError KRG_NO_SUCH_PROCESS, also for a pid of a range that no node has, or had */
export async function locateProcess(proc: ProcService, pid: number): Promise<number> {
  try {
    return await proc.locate(pid);
  } catch (error) {
    const isNowhere = isKorriganError(error, 'KRG_NO_SUCH_NODE') || isKorriganError(error, 'KRG_NO_SUCH_PROCESS');
    throw isNowhere ? noSuchProcess(pid) : error;
  }
}

export function noSuchProcess(pid: number): KorriganError {
  return new KorriganError('KRG_NO_SUCH_PROCESS', `the cluster has no process ${pid} (krg ps lists them)`);
}
