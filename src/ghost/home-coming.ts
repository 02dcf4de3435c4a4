/** A husk that becomes its process again: it has the credentials, limits and root directory with which the process left. */
import { readProcessLink, type RemoteProcess } from '../linux/index.ts';
import { captureCredentials } from './credentials.ts';
import { initOf } from './hidden-state.ts';
import type { Credentials } from './image.ts';
import { captureLimits, restoreLimits } from './limits.ts';

const PR_GET_SECUREBITS = 27;
const LIMITS_CAPACITY = { records: 20, data: 512 };

/**
 * Makes a held husk ready to be restored: its limits do not count meanwhile, and it is not on the alternate stack that may still be registered.
 * @param enterContainerRoot makes the root of the container its working directory; called where it is not so already
 * @returns its credentials
 */
export function comeBack(remote: RemoteProcess, enterContainerRoot: () => void): Credentials {
  remote.main.registers.set('rsp', 0);
  raiseLimits(remote);
  // A husk has its own root as its working directory.
  if (readProcessLink(remote.pid, 'root') !== readProcessLink(initOf(remote.pid), 'root')) enterContainerRoot();
  return captureCredentials(remote.pid, remote.pid, remote.stepSystemCall('prctl', PR_GET_SECUREBITS, 0, 0, 0, 0));
}

/** As far as the hard limits allow; beyond them it takes CAP_SYS_RESOURCE, and hinders only what has more than its limit. */
function raiseLimits(remote: RemoteProcess): void {
  const questions = remote.newProgram(LIMITS_CAPACITY);
  const collect = captureLimits(questions);
  remote.run(questions);
  const program = remote.newProgram(LIMITS_CAPACITY);
  restoreLimits(
    program,
    collect().map(([, hard]) => [hard, hard]),
  );
  remote.run(program);
}
