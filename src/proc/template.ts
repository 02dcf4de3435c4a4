/** The template: a husk that stands for nobody. It is a child of init, in init's session, and makes those that are to be children of init. */
import { SPAWN_ADDRESS, type Container, type StartedProcess } from '../container/index.ts';
import { type ControlGroup, isErrno, Program, RemoteProcess } from '../linux/index.ts';
import { deflate, DEFLATE_REGION_SIZE, type DeflateOptions } from './deflate.ts';

const PR_SET_NAME = 15;
const MEMORY = 4096;
/** Of husks that stand for nobody. */
export const HUSK_NAME = 'husk';

/** Name of the group of husks that were never processes here. Those that become processes leave it before they run. */
export const HUSK_GROUP = 'husks';

export function huskCgroup(container: Container): ControlGroup {
  return container.cgroup.child('processes').child(HUSK_GROUP);
}

/** Makes the process that {@link becomeTemplate} turns into the template. */
export async function spawnTemplate(container: Container): Promise<StartedProcess> {
  const program = new Program(SPAWN_ADDRESS, { records: 4, data: 64 });
  program.tryCall('prctl', PR_SET_NAME, program.string(HUSK_NAME), 0, 0, 0);
  program.operation('waitWhileEqual', program.data(8), 0);
  for (;;) {
    try {
      return await container.spawn({ cgroup: huskCgroup(container).create(), memory: MEMORY, program });
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw error; // the group was empty for a moment and was tidied up
    }
  }
}

/** On a thread that may trace. @param hostPid of what {@link spawnTemplate} made */
export function becomeTemplate(hostPid: number, options: Pick<DeflateOptions, 'pid' | 'sendRecordPipe'>): void {
  const remote = RemoteProcess.stop(hostPid);
  remote.openRegion(DEFLATE_REGION_SIZE);
  deflate(remote, { ...options, standsForNobody: true });
}
