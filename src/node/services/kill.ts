/** Signals that users send to processes and process groups of the cluster, with the rules of kill(2) for who may. */
import { z } from 'zod';
import type { Container } from '../../container/index.ts';
import { KorriganError } from '../../linux/errors.ts';
import { isErrno } from '../../linux/index.ts';
import { defineCall } from '../../rpc/index.ts';
import { membersOf, ownerOf } from './process-list.ts';

/** Sends a signal on the node that has the process or the group's leader. */
export const killProcess = defineCall('node.kill', z.object({ pid: z.int(), signal: z.int(), uid: z.int() }), z.null());

/** @param uid who sends @throws KorriganError KRG_NO_SUCH_PROCESS, KRG_NOT_YOUR_PROCESS */
export function killLocally(container: Container, request: { pid: number; signal: number; uid: number }): void {
  const { pid, signal, uid } = request;
  const targets = pid > 0 ? [pid] : membersOf(container, -pid);
  const owned = targets.map((target) => ({ target, owner: ownerOf(container, target) })).filter(({ owner }) => owner !== undefined);
  if (owned.length === 0 || pid === 1) throw noSuchProcess(pid);
  const allowed = owned.filter(({ owner }) => uid === 0 || owner === uid);
  if (allowed.length === 0)
    throw new KorriganError('KRG_NOT_YOUR_PROCESS', `${nameOf(pid)} belongs to another user; only root may signal it`);
  try {
    // All members at once where that is allowed, so that none can fork in between.
    if (allowed.length === owned.length) container.lane.call('kill', pid, signal);
    else for (const { target } of allowed) container.lane.call('kill', target, signal);
  } catch (error) {
    if (isErrno(error, 'ESRCH')) throw noSuchProcess(pid);
    throw error;
  }
}

const nameOf = (pid: number): string => (pid > 0 ? `process ${pid}` : `process group ${-pid}`);

function noSuchProcess(pid: number): KorriganError {
  return new KorriganError('KRG_NO_SUCH_PROCESS', `the cluster has no ${nameOf(pid)} (krg ps lists them)`);
}
