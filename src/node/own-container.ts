/** The container of this node, which outlives its daemons, and the port that it holds for them. */
import type { Logger } from 'pino';
import { Container, containerCgroup, pidRangeOf } from '../container/index.ts';
import { isErrno, KorriganError } from '../linux/index.ts';
import type { ClusterConfiguration, NodeConfiguration } from './configuration.ts';
import { JOURNAL_LISTENER } from './kin.ts';

/** The container that an earlier daemon has left, or a new one. */
export async function enterContainer(
  configuration: ClusterConfiguration,
  { id, name }: NodeConfiguration,
  serveProc: (initPid: number, fuse: number) => void,
  log: Logger,
): Promise<Container> {
  const cgroup = containerCgroup(configuration.cluster, id);
  const adopted = await Container.adopt(cgroup, serveProc);
  if (adopted !== undefined) {
    log.info({ container: adopted.initPid }, 'the container of an earlier daemon is adopted');
    return adopted;
  }
  const { clockOffsets, pidsPerNode } = configuration;
  return Container.create({ cgroup, hostName: name, range: pidRangeOf(id, pidsPerNode), clockOffsets });
}

/**
 * The port of the node belongs to its container: while that lives it is open, so that other nodes can tell a daemon that is just started again from a node that
 * has died. @returns the descriptor, in pid 1; undefined where pid 1 has a network of its own, without this address
 */
export function listenerOf(container: Container, { address, port }: NodeConfiguration, log: Logger): number | undefined {
  const { journal } = container;
  try {
    if (journal.getInt32(JOURNAL_LISTENER, true) === 0) container.openListener(address, port, JOURNAL_LISTENER);
    return journal.getInt32(JOURNAL_LISTENER, true);
  } catch (error) {
    if (!(error instanceof KorriganError) || !isErrno(error.cause, 'EADDRNOTAVAIL')) throw error;
    log.warn({ err: error }, 'pid 1 cannot hold the port of this node: when the daemon ends, others take the node for dead');
    return undefined;
  }
}
