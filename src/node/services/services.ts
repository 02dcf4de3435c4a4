/** The services of the HTTP API, on this node or on the one they concern. */
import { randomUUID } from 'node:crypto';
import type { Container } from '../../container/index.ts';
import type { Membership, NodeRecord } from '../../hotplug/index.ts';
import type { Kddm } from '../../kddm/index.ts';
import { type ErrorCode, isKorriganError } from '../../linux/errors.ts';
import type { ProcService } from '../../proc/index.ts';
import type { RpcNode } from '../../rpc/index.ts';
import type { NodeServices } from '../api/services.ts';
import type { Caller, ClusterUsage, NodeStatus, NodeUsage, ProcessEntry } from '../api/types.ts';
import { examineMachine } from '../doctor.ts';
import type { EventLog } from '../events.ts';
import { ObjectSession } from '../objects/object-session.ts';
import { passOn, runDetachedOn, serveRuns } from '../runs/pass-on.ts';
import type { RunService } from '../runs/run-service.ts';
import { credentialsOf } from '../users.ts';
import { clusterEvents, serveEvents } from './cluster-events.ts';
import { killLocally, killProcess } from './kill.ts';
import { linesOf, readLog } from './logs.ts';
import { firstMember, shownState, upNode } from './members.ts';
import { listProcesses, processesOf } from './process-list.ts';
import { reniceLocally, reniceProcess } from './renice.ts';
import { askStatus, statusOf } from './status.ts';
import { askUsage, usageReader } from './usage.ts';
import { Waiting } from './waiting.ts';
import { locateProcess, noSuchProcess, whereItRuns } from './whereabouts.ts';

/** What the modules above the container do for users; joined in by `node.ts`. */
export type MigrationServices = Pick<NodeServices, 'migrate' | 'explain'>;
export type CapabilityServices = Pick<NodeServices, 'capabilities' | 'changeCapabilities'>;
export type MembershipServices = Pick<NodeServices, 'addNodes' | 'removeNodes' | 'power'>;
export type LockServices = Pick<NodeServices, 'sync'>;
export type EnrolmentServices = Pick<NodeServices, 'token' | 'revoke'>;

export interface ServicesOptions {
  readonly cluster: string;
  readonly version: string;
  readonly membership: Membership;
  readonly proc: ProcService;
  /** The node whose range a pid is from. */
  readonly homeOf: (pid: number) => number;
  readonly container: Container;
  readonly rpc: RpcNode;
  readonly runs: RunService;
  readonly events: EventLog;
  readonly logPath: string;
  readonly migration: MigrationServices;
  readonly capabilities: CapabilityServices;
  readonly enrolment: EnrolmentServices;
  readonly changes: MembershipServices;
  readonly kddm: Kddm;
  readonly onFault: (error: unknown) => void;
  readonly locks: LockServices;
}

/** How long another node may take to say how it is. */
const STATUS_DEADLINE_MS = 2000;
const UNREACHABLE: readonly ErrorCode[] = ['KRG_NODE_DEAD', 'KRG_DEADLINE', 'KRG_PEER_REVOKED'];

export function createServices(options: ServicesOptions): NodeServices {
  const { membership, rpc, runs, proc } = options;
  const self = rpc.id;
  const nodeFor = (reference: string | undefined): number =>
    reference === undefined ? (firstMember(membership) ?? self) : upNode(membership, reference).id;
  const whoIs = ({ uid, gid }: Caller): ReturnType<typeof credentialsOf> => credentialsOf(uid, gid);
  serveOtherNodes(options);
  const waiting = new Waiting(options);

  return {
    status: async () => ({
      cluster: options.cluster,
      version: options.version,
      node: membership.self.name,
      nodes: await Promise.all(membership.members.map((node) => nodeStatus(rpc, node))),
    }),

    processes: async (_, { husks }) => {
      const lists = await Promise.all(
        membership.living.map((id) => unlessDead(rpc.call(id, listProcesses, {}, { deadlineMs: STATUS_DEADLINE_MS }), [])),
      );
      return lists
        .flat()
        .filter(({ kind }) => husks || kind === 'process')
        .toSorted((a, b) => a.pid - b.pid);
    },

    usage: () => usage(options),

    run: (caller, user) => passOn(rpc, whoIs(caller), user, nodeFor),

    runDetached: (caller, request) => {
      const node = nodeFor(request.node);
      return node === self ? runs.detached(whoIs(caller), request) : runDetachedOn(rpc, node, whoIs(caller), request);
    },

    kill: async (caller, { pid, signal }) => {
      await rpc.call(await locate(options, Math.abs(pid)), killProcess, { pid, signal, uid: caller.uid }, { idempotencyKey: randomUUID() });
    },

    renice: async (caller, { pid, ...wanted }) =>
      whereItRuns(proc, pid, async (node) => {
        const request = { pid, uid: caller.uid, ...wanted };
        const reniced = await rpc.call(node, reniceProcess, request, { idempotencyKey: randomUUID() });
        return { pid, node: membership.nameOf(node), ...reniced };
      }),

    wait: (caller, { pids }, abort) => waiting.linesFor(caller, pids, abort),

    objects: (caller, user) => new ObjectSession(options.kddm, caller, user, options.onFault).run(),

    ...options.migration,
    ...options.capabilities,

    ...options.enrolment,

    ...options.changes,
    ...options.locks,

    doctor: () => examineMachine(),

    logs: (_, { node, lines, follow }, abort) => logLines(options, nodeFor(node), { lines, follow }, abort),

    events: (_, abort) => clusterEvents(options, abort),
  };
}

/** The node on which a process runs. */
async function locate({ membership, proc }: ServicesOptions, pid: number): Promise<number> {
  const known = (node: number): boolean => membership.members.some(({ id }) => id === node);
  const node = await locateProcess(proc, pid);
  if (known(node)) return node;
  throw noSuchProcess(pid);
}

/** Answers what other nodes ask of this one. */
function serveOtherNodes(options: ServicesOptions): void {
  const { version, rpc, runs, container, membership, proc, logPath } = options;
  const isHusk = (pid: number): boolean => proc.isHusk(pid);
  serveRuns(rpc, runs);
  serveEvents(options);
  rpc.handle(askStatus, () => {
    const status = statusOf(container, version, isHusk);
    return { ...status, loadAverage: [...status.loadAverage] as [number, number, number] };
  });
  rpc.handle(listProcesses, () => processesOf(container, membership.self.name, isHusk));
  const readUsage = usageReader(container, membership.self.name, isHusk);
  rpc.handle(askUsage, () => {
    const { sample, processes } = readUsage();
    return { sample: { ...sample, loadAverage: [...sample.loadAverage] as [number, number, number] }, processes };
  });
  rpc.handle(reniceProcess, (request) => reniceLocally(container, isHusk, request));
  rpc.handle(killProcess, (request) => {
    killLocally(container, request);
    return null;
  });
  rpc.handleStream(readLog, async (request, stream) => {
    for await (const line of linesOf(logPath, request, stream.signal)) await stream.write(line);
  });
}

async function nodeStatus(rpc: RpcNode, record: NodeRecord): Promise<NodeStatus> {
  const { id, name, address, port, isOut } = record;
  const asked = record.state === 'possible' ? null : rpc.call(id, askStatus, {}, { deadlineMs: STATUS_DEADLINE_MS });
  const daemon = asked === null ? null : await unlessDead(asked, null);
  return { id, name, address, port, state: shownState(record, daemon !== null), isOut, daemon };
}

/** Each node is asked once, also for what is known of it by others. */
async function usage({ cluster, membership, rpc }: ServicesOptions): Promise<ClusterUsage> {
  const processes: ProcessEntry[] = [];
  const nodes = await Promise.all(
    membership.members.map(async (record): Promise<NodeUsage> => {
      const asked = record.state === 'possible' ? null : rpc.call(record.id, askUsage, {}, { deadlineMs: STATUS_DEADLINE_MS });
      const answer = asked === null ? null : await unlessDead(asked, null);
      processes.push(...(answer?.processes ?? []));
      return { id: record.id, name: record.name, state: shownState(record, answer !== null), sample: answer?.sample ?? null };
    }),
  );
  return { cluster, node: membership.self.name, nodes, processes: processes.toSorted((a, b) => a.pid - b.pid) };
}

async function* logLines(
  { membership, rpc, logPath }: ServicesOptions,
  node: number,
  request: { lines: number; follow: boolean },
  abort: AbortSignal,
): AsyncGenerator<string> {
  if (node === membership.self.id) {
    yield* linesOf(logPath, request, abort);
    return;
  }
  const stream = await rpc.openStream(node, readLog, request, { signal: abort });
  await stream.end();
  for (let line = await stream.read(); line !== undefined; line = await stream.read()) yield line;
}

/** A node that does not answer, or is not believed any more, is left out; every other failure is one. */
async function unlessDead<T, U>(answer: Promise<T>, otherwise: U): Promise<T | U> {
  try {
    return await answer;
  } catch (error) {
    if (UNREACHABLE.some((code) => isKorriganError(error, code))) return otherwise;
    throw error;
  }
}
