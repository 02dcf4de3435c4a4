/** Makes a husk and is killed before it is one of its own. Arguments: host pid of the container's pid 1, pid of the template there. */
import { PidNamespace } from '../../src/linux/index.ts';
import { HuskFamily } from '../../src/proc/index.ts';

const [initPid = 0, template = 0] = process.argv.slice(2).map(Number);
const namespace = new PidNamespace(initPid);
const family = new HuskFamily({
  hostPidOf: (pid) => namespace.toHere(pid),
  appearanceOf: () => {
    process.kill(process.pid, 'SIGKILL');
    return undefined;
  },
});
family.execute([{ kind: 'clone', pid: -1, creator: template, sibling: true, temporary: true }]);
