/** A daemon that makes a container, starts a process in it that asks for a pid of another node, receives its call and then waits to be killed. */
import { Container, containerCgroup, pidRangeOf, TrappedCallSlots } from '../../src/container/index.ts';

const [, , cluster = ''] = process.argv;
const cgroup = containerCgroup(cluster, 1);
const container = await Container.create({
  cgroup,
  hostName: 'node1',
  range: pidRangeOf(1),
  clockOffsets: { monotonic: 0n, boottime: 0n },
});
const { pid } = await container.launch({
  arguments: ['sh', '-c', 'kill -0 131072 && kill -0 131073; exit $?'],
  environment: { PATH: '/usr/bin:/bin' },
  workingDirectory: '/',
  credentials: { uid: 0, gid: 0, groups: [] },
  umask: 0o22,
  streams: { kind: 'descriptors', fds: [0, 1, 2] },
  cgroup: container.newApplication(),
});
const slots = TrappedCallSlots.open(container.initPid, container.takeEvents().trappedCalls);
for (let call = slots.receive(); call === undefined; call = slots.receive());
process.stdout.write(`${pid}\n`);
setInterval(() => undefined, 1000);
