/** What a move would do to the open and mapped files of a process, as a finding for each. */
import type { Container } from '../container/index.ts';
import { examineFiles } from '../fs/index.ts';
import type { Finding } from '../ghost/index.ts';
import { pidfdOpen, readDetailedMaps, syscall } from '../linux/index.ts';
import { describeAreas } from '../mm/index.ts';
import type { RelaySource } from '../streams/index.ts';
import type { MovingPid } from './parts.ts';
import { processesOfContainer } from './relations.ts';
import { allKinds, containerClocks, mappedBy } from './source-parts.ts';

/** The process goes on meanwhile. */
export function examineOpenFiles({ pid, hostPid }: MovingPid, container: Container, relays: RelaySource): Finding[] {
  const pidfd = pidfdOpen(hostPid);
  try {
    const { verdicts } = examineFiles({
      processes: [{ pid, hostPid, pidfd }],
      kinds: allKinds(relays),
      initHostPid: container.initPid,
      others: processesOfContainer(container.cgroup).filter((other) => other !== hostPid),
      clocks: containerClocks(container.lane),
      relatives: new Set(),
      mapped: mappedBy([{ pid, hostPid, areas: describeAreas(readDetailedMaps(hostPid), []) }]),
    });
    return verdicts.map(({ resource, outcome, reason }) => ({ resource, verdict: outcome, reason }));
  } finally {
    syscall('close', pidfd);
  }
}
