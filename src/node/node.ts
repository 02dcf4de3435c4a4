/** A node: its modules, constructed from the bottom to the top and joined. The one place where they meet. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Policy } from '../capability/index.ts';
import { nodeOfPid, SharedPids } from '../container/index.ts';
import { HotPlug, Membership, renew, type Transition } from '../hotplug/index.ts';
import { Kddm, lifeOf } from '../kddm/index.ts';
import { KorriganError } from '../linux/errors.ts';
import { ProcFs } from '../procfs/index.ts';
import { RpcNode } from '../rpc/index.ts';
import { Streams } from '../streams/index.ts';
import { Sync } from '../sync/index.ts';
import { nodeDirectory } from './api/index.ts';
import { startApiServer } from './api/server.ts';
import { NodeCertificates } from './certificates.ts';
import { openStore, ownRecord } from './cluster-record.ts';
import type { ClusterConfiguration } from './configuration.ts';
import { endFenced, endNode } from './ending.ts';
import { Endings } from './endings.ts';
import { EventLog } from './events.ts';
import { enterContainer, listenerOf } from './own-container.ts';
import { userLinker } from './objects/user-objects.ts';
import { raisePriority } from './priority.ts';
import { RunService } from './runs/run-service.ts';
import { JOURNAL_TAKEN_OVER, joinKin, PROCFS_LANE } from './kin.ts';
import { createEnrolment } from './services/enrolment.ts';
import { createLocks } from './services/locks.ts';
import { checkTakesNew } from './services/members.ts';
import { createMembership, type Ending } from './services/membership.ts';
import { createMigration } from './services/migration.ts';
import { createCapabilities } from './services/capabilities.ts';
import { createServices } from './services/services.ts';
import { daemonCgroup } from './supervision.ts';
import { uidOf } from './users.ts';
import { Newcomers } from './newcomers.ts';
import { Watcher } from './watcher.ts';

export interface RunningNode {
  /** Leaves the container, and what runs in it, to the next daemon. */
  stop(): Promise<void>;
}

/** See HotPlugOptions. */
const SETTLING_MILLISECONDS = 20_000;

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

  const own = configuration.nodes.find((node) => node.id === id);
  if (own === undefined) throw new KorriganError('KRG_NO_SUCH_NODE', `cluster ${cluster} has no node ${id}`);

  // rpc, hotplug
  const certificates = await NodeCertificates.open({ cluster, id, log });
  const newcomers = new Newcomers(certificates.enrol);
  const rpc = new RpcNode({ trust: certificates.trust, enrol: newcomers.enrol, log });
  certificates.join(rpc);
  const store = openStore(configuration, rpc);
  const membership = new Membership(id, () => store.known.nodes);
  // What is joined below asks them at once; later ones are met by hotplug.
  for (const peer of membership.members) if (peer.id !== id) rpc.addPeer(peer.id, peer.address, peer.port);

  // container
  const procfs = new ProcFs({ node: id, onFault });
  const container = await enterContainer(configuration, own, (initPid, fuse) => procfs.serve(initPid, fuse), log);
  const { initPid } = container;
  await procfs.mount(initPid).catch((error: unknown) => log.warn({ err: error }, '/proc shows this node only'));
  const listener = listenerOf(container, own, log);
  const endings = new Endings(container.reaped);
  const onReaped = (): void => {
    endings.poll();
    container.removeEndedApplications();
  };
  const husks = new SharedPids();
  const watcher = new Watcher({ container, husks, onReaped, onFault });
  const streams = new Streams(container);

  // proc, ghost, epm
  const homeOf = (pid: number): number => nodeOfPid(pid, pidsPerNode);
  const events = new EventLog(own.name);
  const kin = joinKin({
    container,
    streams,
    rpc,
    watcher,
    husks,
    homeOf,
    isLiving: (node) => membership.isLiving(node),
    onLost: (pid) => events.record('process.lost', `process ${pid} was lost with the node that it ran on`, pid),
    policy: new Policy(configuration.capabilities, uidOf),
    host: own.address,
    log,
  });
  const isLiving = (node: number): boolean => membership.isLiving(node);
  procfs.join({
    initPid,
    rpc,
    lane: PROCFS_LANE,
    cluster,
    homeOf,
    locate: (pid) => kin.proc.locate(pid),
    isLiving,
    seesOnlyItsNode: (pid) => kin.capabilities.seesLocalProcStat(pid),
  });
  // kddm, sync, which wait for what hotplug says
  const self = ownRecord(own, container.life, randomUUID());
  const renewEpoch = (reason: string): void => {
    log.warn({ reason }, 'a new epoch is begun');
    store.change(renew).catch(onFault);
  };
  const life = lifeOf(self);
  const kddm = new Kddm({ rpc, log, life, linkers: [userLinker], renewEpoch });
  const sync = new Sync({ rpc, kddm, log, life });
  let isEnding = false;
  const hotPlug = new HotPlug({
    rpc,
    store,
    self,
    stages: [
      kddm.stage,
      sync.stage,
      { name: 'streams', change: () => Promise.resolve(kin.epm.membersChanged()) },
      // It asks other nodes, which takes its time.
      { name: 'proc', change: () => Promise.resolve(void kin.proc.membersChanged().catch(onFault)) },
    ],
    settlingMilliseconds: SETTLING_MILLISECONDS,
    onChange: (transition) => recordTransition(events, membership, transition),
    onFenced: () => {
      if (!isEnding) void endFenced({ kin, container, log });
    },
    log,
  });

  // The user's side
  const ready = Promise.withResolvers<void>();
  const checkStart = (): void => checkTakesNew(membership.self);
  const runs = new RunService({
    streams,
    capabilities: kin.capabilities,
    endings,
    node: own.name,
    ready: ready.promise,
    checkTakesNew: checkStart,
    onFault,
  });
  const logPath = join(directory, 'krgd.log');
  const migration = createMigration({
    membership,
    container,
    rpc,
    proc: kin.proc,
    epm: kin.epm,
    capabilities: kin.capabilities,
    events,
  });
  const capabilities = createCapabilities({ cluster, membership, rpc, proc: kin.proc, capabilities: kin.capabilities });
  const enrolment = createEnrolment({ membership, hotPlug, certificates, pidsPerNode, events });
  const end = async (how: Ending): Promise<void> => {
    isEnding = true;
    await endNode(how, { hotPlug, kin, container, rpc, group: daemonCgroup(cluster, id), socket: own.socket, log });
  };
  const changes = createMembership({ membership, hotPlug, rpc, events, sync, end });
  newcomers.begin({ rpc, hotPlug, store, container, configuration, events });
  const services = createServices({
    cluster,
    version,
    membership,
    proc: kin.proc,
    homeOf,
    container,
    rpc,
    runs,
    events,
    logPath,
    migration,
    capabilities,
    enrolment,
    changes,
    kddm,
    onFault,
    locks: createLocks({ sync, membership, events }),
  });
  // A shell that was held up as it made a group is let go before what its user has typed meanwhile comes: ^C is for that group.
  await watcher.hasCaughtUp;
  await rpc.listen(listener === undefined ? { host: own.address, port: own.port } : { fd: container.takeDescriptor(listener) });
  const api = await startApiServer({ socketPath: own.socket, services, onFault });
  log.info({ node: own.name, container: container.initPid }, 'the node is up');
  // Once in the life of a container, before anything is started in it. In one that was adopted programs are started whether the others answer or not.
  const { journal } = container;
  const hasTakenOver = journal.getInt32(JOURNAL_TAKEN_OVER, true) === 1;
  if (hasTakenOver) ready.resolve();
  hotPlug
    .start()
    .then(async () => {
      raisePriority(container, log);
      if (!hasTakenOver) await kin.proc.takeOverEarlierLife();
      journal.setInt32(JOURNAL_TAKEN_OVER, 1, true);
      ready.resolve();
    })
    .catch(onFault);

  return {
    stop: async () => {
      // In this order, so that no user seems to have gone: the programs wait for the next daemon.
      runs.stop();
      await procfs[Symbol.asyncDispose]();
      certificates[Symbol.dispose]();
      await hotPlug[Symbol.asyncDispose]();
      await sync[Symbol.asyncDispose]();
      await kddm[Symbol.asyncDispose]();
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

function recordTransition(events: EventLog, membership: Membership, { joined, left, died }: Transition): void {
  const record = (kind: string, message: string): void => events.record(kind, message, undefined, 'all');
  for (const id of died) record('node.died', `${membership.nameOf(id)} was declared dead; what ran there has ended`);
  for (const id of left) record('node.left', `${membership.nameOf(id)} takes part no more`);
  for (const id of joined) record('node.joined', `${membership.nameOf(id)} takes part`);
}
