/** Runs programs in processes of a container again and again until it is killed. Arguments: their host pids. */
import { RemoteProcess } from '../../src/linux/index.ts';

const CALLS = 8;
const PROGRAMS = 3;
const pids = process.argv.slice(2).map(Number);
process.stdout.write('ready\n');
for (let round = 0; ; round++) {
  if (round === 1) process.stdout.write('went round\n');
  for (const pid of pids) {
    const remote = RemoteProcess.stop(pid);
    remote.takeOverRegion();
    remote.openRegion(4096);
    for (let n = 0; n < PROGRAMS; n++) {
      remote.runTogether(
        remote.threads.map((thread, index) => {
          const program = remote.newProgram({ records: CALLS + 2, data: 0 }, index * 1024);
          for (let call = 0; call < CALLS; call++) program.call('getppid');
          return { program, thread };
        }),
      );
    }
    remote.release();
  }
}
