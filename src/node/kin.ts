/** Joins husks, ghosts and migration to a node: the record pipe, the workers, the dead, and calls that name processes of other nodes. */
import type { Logger } from 'pino';
import { Capabilities, type Policy, setOf } from '../capability/index.ts';
import type { Container, SharedPids } from '../container/index.ts';
import { GhostWorkers, MigrationService, processesOfContainer } from '../epm/index.ts';
import { huskCgroup, isHusk, kindOfHusk, ProcService, type Resident } from '../proc/index.ts';
import { type NodeId, type RpcNode } from '../rpc/index.ts';
import { Socket } from 'node:net';
import type { Streams } from '../streams/index.ts';
import type { Watcher } from './watcher.ts';

/** Lanes of the container that ghost workers use; lane 0 is the main thread's. */
const WORKER_LANES = [1, 2, 3, 4];
/** The husk monitor's. */
const MONITOR_LANE = 5;
/** That of the thread that reads the node's procfs. */
export const PROCFS_LANE = 6;
/** In the container's journal: the pipe's descriptors in pid 1, each plus one; zero when there is none yet. */
const PIPE_READ_AT = 0;
const PIPE_WRITE_AT = 4;
/** The listening socket of the node: its descriptor in pid 1, 8 bytes. */
export const JOURNAL_LISTENER = 8;
/** 1 when the pids of who was born in an earlier container of the node are taken. */
export const JOURNAL_TAKEN_OVER = 16;

export interface KinOptions {
  readonly container: Container;
  readonly streams: Streams;
  readonly rpc: RpcNode;
  readonly watcher: Watcher;
  readonly husks: SharedPids;
  readonly homeOf: (pid: number) => NodeId;
  /** Does a node take part in the cluster, or can it? */
  readonly isLiving: (node: NodeId) => boolean;
  /** A process has ended because its node has died. */
  readonly onLost: (pid: number) => void;
  /** What the configuration says about capabilities. */
  readonly policy: Policy;
  /** Address of this node on which migrations arrive. */
  readonly host: string;
  readonly log: Logger;
}

export interface Kin extends AsyncDisposable {
  readonly proc: ProcService;
  readonly epm: MigrationService;
  readonly capabilities: Capabilities;
}

export function joinKin(options: KinOptions): Kin {
  const { container, streams, rpc, watcher, husks, homeOf, isLiving, onLost, host, log } = options;
  const pipe = recordPipe(container);
  const workers = new GhostWorkers(WORKER_LANES);
  const proc = new ProcService({ rpc, container, lane: MONITOR_LANE, recordPipe: pipe.writeEnd, homeOf, husks, isLiving, onLost, log });
  const capabilities: Capabilities = new Capabilities({
    policy: options.policy,
    hostPidOf: (pid) => container.hostPidOf(pid),
    containerPidOf: (hostPid) => container.containerPidOf(hostPid),
    inUse: (pid) => (epm.isLeaving(pid) ? setOf('CAN_MIGRATE') : 0),
    isMoving: (pid) => epm.isMoving(pid),
  });
  const epm: MigrationService = new MigrationService({
    rpc,
    container,
    streams,
    workers,
    proc,
    host,
    recordPipe: pipe.writeEnd,
    homeOf,
    isLiving,
    checkMigrate: (pid) => capabilities.checkMigrate(pid),
    log,
  });
  const records = new Socket({ fd: container.takeDescriptor(pipe.readEnd), readable: true, writable: false });
  records.on('data', (chunk) => proc.recordsRead(chunk));
  records.on('error', (error) => log.error({ err: error }, 'the pipe of the husks cannot be read'));
  watcher.onTrappedCall((call) => proc.answerTrappedCall(call));
  const found = residents(container, epm.undecided);
  proc.recover(found, container.reaped.read());
  epm.recover(found);
  watcher.knowsHusks();
  return {
    proc,
    epm,
    capabilities,
    [Symbol.asyncDispose]: async () => {
      records.destroy();
      epm[Symbol.dispose]();
      await proc[Symbol.asyncDispose]();
      await workers[Symbol.asyncDispose]();
    },
  };
}

/** The pipe outlives daemons in pid 1; its numbers stand in the journal. */
function recordPipe(container: Container): { readEnd: number; writeEnd: number } {
  const { journal } = container;
  const [readEnd, writeEnd] = [journal.getInt32(PIPE_READ_AT, true) - 1, journal.getInt32(PIPE_WRITE_AT, true) - 1];
  if (readEnd >= 0) return { readEnd, writeEnd };
  const made = container.openPipe();
  journal.setInt32(PIPE_READ_AT, made.readEnd + 1, true);
  journal.setInt32(PIPE_WRITE_AT, made.writeEnd + 1, true);
  return made;
}

/** What a daemon finds in a container that it adopts. @param undecided see Settlements */
function residents(container: Container, undecided: ReadonlySet<number>): (Resident & { readonly hostPid: number })[] {
  const { initPid } = container;
  const husks = huskCgroup(container);
  const bornAsHusks = new Set(husks.exists ? husks.processes() : []);
  const kindOf = (pid: number, hostPid: number): Resident['kind'] => {
    if (undecided.has(pid)) return 'undecided';
    // Those that have become processes have left the group before they ran.
    if (!isHusk(hostPid)) return bornAsHusks.has(hostPid) ? 'unfinished' : 'process';
    return kindOfHusk(hostPid, pid);
  };
  return processesOfContainer(container.cgroup).flatMap((hostPid) => {
    const pid = container.containerPidOf(hostPid);
    return pid === undefined || hostPid === initPid ? [] : [{ pid, hostPid, kind: kindOf(pid, hostPid) }];
  });
}
