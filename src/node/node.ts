/** A node: its modules, constructed from the bottom to the top and joined. The one place where they meet. */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Container, containerCgroup, nodeOfPid, pidRangeOf } from '../container/index.ts';
import { Membership } from '../hotplug/index.ts';
import { RpcNode } from '../rpc/index.ts';
import { Streams } from '../streams/index.ts';
import { nodeDirectory } from './api/index.ts';
import { startApiServer } from './api/server.ts';
import { NodeCertificates } from './certificates.ts';
import type { ClusterConfiguration } from './configuration.ts';
import { Endings } from './endings.ts';
import { EventLog } from './events.ts';
import { RunService } from './runs/run-service.ts';
import { joinKin } from './kin.ts';
import { createEnrolment } from './services/enrolment.ts';
import { createMigration } from './services/migration.ts';
import { createServices } from './services/services.ts';
import { Watcher } from './watcher.ts';

export interface RunningNode {
  /** Leaves the container, and what runs in it, to the next daemon. */
  stop(): Promise<void>;
}

export interface NodeOptions {
  readonly configuration: ClusterConfiguration;
  /** Id of this node. */
  readonly id: number;
  readonly version: string;
  readonly log: Logger;
}

/** @throws KorriganError when the node cannot be what its configuration says */
export async function startNode({ configuration, id, version, log }: NodeOptions): Promise<RunningNode> {
  const { cluster, pidsPerNode } = configuration;
  const directory = nodeDirectory(cluster, id);
  const onFault = (error: unknown): void => log.error({ err: error }, 'a fault in Korrigan');

  // rpc, hotplug
  const membership = new Membership(configuration.nodes, id);
  const certificates = await NodeCertificates.open({ cluster, id, log });
  const rpc = new RpcNode({ trust: certificates.trust, enrol: certificates.enrol, log });
  certificates.join(rpc);
  for (const peer of membership.others) rpc.addPeer(peer.id, peer.address, peer.port);

  // container
  const container = await enterContainer(configuration, id, log);
  const endings = new Endings(container.reaped);
  const onReaped = (): void => {
    endings.poll();
    container.removeEndedApplications();
  };
  const watcher = new Watcher({ container, onReaped, onFault });
  const streams = new Streams(container);

  // proc, ghost, epm
  const homeOf = (pid: number): number => nodeOfPid(pid, pidsPerNode);
  const kin = joinKin({ container, streams, rpc, watcher, homeOf, host: membership.self.address, log });

  // The user's side
  const events = new EventLog(membership.self.name);
  const runs = new RunService({ streams, endings, node: membership.self.name, onFault });
  const logPath = join(directory, 'krgd.log');
  const migration = createMigration({ membership, container, rpc, proc: kin.proc, epm: kin.epm, events });
  const enrolment = createEnrolment({ membership, certificates, pidsPerNode, events });
  const services = createServices({
    cluster,
    version,
    membership,
    proc: kin.proc,
    container,
    rpc,
    runs,
    events,
    logPath,
    migration,
    enrolment,
  });
  // A shell that was held up as it made a group is let go before what its user has typed meanwhile comes: ^C is for that group.
  await watcher.hasCaughtUp;
  await rpc.listen({ host: membership.self.address, port: membership.self.port });
  const api = await startApiServer({ socketPath: membership.self.socket, services, onFault });
  log.info({ node: membership.self.name, container: container.initPid }, 'the node is up');

  return {
    stop: async () => {
      // In this order, so that no user seems to have gone: the programs wait for the next daemon.
      runs.stop();
      certificates[Symbol.dispose]();
      await rpc.close();
      await api.close();
      await kin[Symbol.asyncDispose]();
      await streams[Symbol.asyncDispose]();
      await watcher.stop();
      container.release();
      log.info('the daemon has ended; the container goes on');
    },
  };
}

async function enterContainer(configuration: ClusterConfiguration, id: number, log: Logger): Promise<Container> {
  const cgroup = containerCgroup(configuration.cluster, id);
  const adopted = await Container.adopt(cgroup);
  if (adopted !== undefined) {
    log.info({ container: adopted.initPid }, 'the container of an earlier daemon is adopted');
    return adopted;
  }
  const { clockOffsets, pidsPerNode, nodes } = configuration;
  const hostName = nodes.find((node) => node.id === id)?.name ?? `node${id}`;
  return Container.create({ cgroup, hostName, range: pidRangeOf(id, pidsPerNode), clockOffsets });
}
