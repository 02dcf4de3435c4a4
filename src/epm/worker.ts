/** A ghost worker: the thread that holds processes by ptrace. Does one job after the other, blocking in the kernel. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import {
  BlockingListener,
  BlockingSocket,
  ControlGroup,
  converse,
  isKorriganError,
  KorriganError,
  releaseLate,
  whyNoKernelTasks,
} from '../linux/index.ts';
import { Lane } from '../container/index.ts';
import { processorFeatures } from '../ghost/index.ts';
import { MigrationChannel, type SharedSecret } from '../mm/index.ts';
import { closePairs } from '../streams/index.ts';
import { HeldFamily, type HeldPid } from './held-family.ts';
import type { ContainerReference, Job, MovePlan, SourceJob, TargetJob, WorkerMessage } from './jobs.ts';
import { JournalEntry, type SourceRecord, type TargetRecord } from './journal.ts';
import { ask } from './questions.ts';
import { SourceMigration } from './source.ts';
import { settle, type Settlement, tidy } from './settle.ts';
import { LocalSourceParts, recordPipeSender } from './source-parts.ts';
import { TargetMigration } from './target.ts';
import { LocalTargetParts } from './target-parts.ts';
import { secretOf } from './ticket.ts';
import { askQuestion } from './worker-questions.ts';

/** How often threads that stopped too late are looked for. */
const LATE_MILLISECONDS = 20;
/** How long the source may take to connect, whoever connects to prove that it is the source, and either side to answer. */
const CONNECT_MILLISECONDS = 10_000;
const PROOF_MILLISECONDS = 5000;
/** How long another one may take after one that went away: that may have been the source, which has died. */
const NEXT_MILLISECONDS = 2000;
const SILENCE_MILLISECONDS = 30_000;
const ACKNOWLEDGE_MILLISECONDS = 10_000;

const { lane: laneIndex } = workerData as { lane: number };
let ownLane: Lane | undefined;

function laneOf(initPid: number): Lane {
  ownLane ??= Lane.attach(initPid, laneIndex);
  return ownLane;
}

function tell(message: WorkerMessage, transfer: MessagePort[] = []): void {
  parentPort?.postMessage(message, transfer);
}

function tellCommitted(): void {
  const acknowledged = new Int32Array(new SharedArrayBuffer(4));
  tell({ kind: 'committed', acknowledged });
  if (Atomics.wait(acknowledged, 0, 0, ACKNOWLEDGE_MILLISECONDS) === 'timed-out')
    throw new KorriganError('KRG_DEADLINE', 'the homes of the processes could not be told yet where they are');
}

/** How long a family may be held still until the target has prepared; longer than that call may take. */
const PLAN_MILLISECONDS = 35_000;

function runSource(job: SourceJob): WorkerMessage {
  const { work, container } = job;
  using family = 'root' in work ? HeldFamily.hold(work, container) : undefined;
  const plan = 'root' in work ? askForPlan(family?.processes ?? []) : work;
  const channel = new MigrationChannel(
    BlockingSocket.connect(plan.host, plan.port, SILENCE_MILLISECONDS),
    secretOf(plan.ticket, job.migration),
    'source',
  );
  try {
    const lane = laneOf(container.initPid);
    const journal = JournalEntry.open(lane.records, job.slot) as JournalEntry<SourceRecord>;
    const parts = new LocalSourceParts({ ...plan, container, node: job.node }, lane, {
      committed: tellCommitted,
      ask: (question) => askQuestion(question, tell),
      givesUpLocks: (locks) => journal.update({ locks }),
      keepsTerminals: (terminals) => journal.update({ terminals: [...terminals] }),
    });
    const options = { journal, processGroups: new ControlGroup(container.processGroups), node: job.node };
    const report = new SourceMigration(channel, plan.moving, parts, options).run(job.migration, family);
    return report === undefined ? { kind: 'unconfirmed' } : { kind: 'moved', report };
  } finally {
    channel.close();
  }
}

function askForPlan(held: readonly HeldPid[]): MovePlan {
  const moving = held.map(({ pid, hostPid }) => ({ pid, hostPid }));
  return ask((asked, transfer) => tell({ kind: 'plan', moving, ...asked }, transfer), PLAN_MILLISECONDS) as MovePlan;
}

function runTarget(job: TargetJob): WorkerMessage {
  // What fails before there is a connection is the answer to the source's call.
  const lane = laneOf(job.container.initPid);
  const journal = JournalEntry.open(lane.records, job.slot) as JournalEntry<TargetRecord>;
  using listener = new BlockingListener(job.host);
  tell({ kind: 'listening', port: listener.port });
  const channel = acceptSource(listener, secretOf(job.ticket, job.migration));
  try {
    const parts = new LocalTargetParts(
      job,
      lane,
      (question) => askQuestion(question, tell),
      (change) => journal.update(change),
    );
    const outcome = new TargetMigration(channel, parts, {
      journal,
      processGroups: new ControlGroup(job.container.processGroups),
      given: new Map(job.capabilities.map(({ pid, given }) => [pid, given])),
      node: job.node,
      settle: (settlement) => settleEntry(journal, settlement, job.container),
    }).run(job.migration);
    return { kind: outcome === 'undecided' ? 'undecided' : 'arrived', pids: outcome === 'given-up' ? [] : parts.arrivals };
  } finally {
    channel.close();
  }
}

/** Strangers that say something else than the source, or nothing at all, are passed over. */
function acceptSource(listener: BlockingListener, shared: SharedSecret): MigrationChannel {
  for (let until = performance.now() + CONNECT_MILLISECONDS; ; ) {
    const socket = listener.accept(Math.max(0, until - performance.now()), PROOF_MILLISECONDS);
    if (socket === undefined) throw new KorriganError('KRG_NODE_DEAD', 'the source did not connect');
    const channel = new MigrationChannel(socket, shared, 'target');
    try {
      channel.begin();
      channel.setDeadline(SILENCE_MILLISECONDS);
      return channel;
    } catch (error) {
      channel.close();
      if (!isKorriganError(error)) throw error;
      if (error.code !== 'KRG_PEER_FORGED') until = Math.min(until, performance.now() + NEXT_MILLISECONDS);
    }
  }
}

function settleEntry(entry: JournalEntry, settlement: Settlement, { initPid, recordPipe }: ContainerReference): void {
  const lane = laneOf(initPid);
  const { terminals } = entry.record;
  settle(entry.record, settlement, { sendRecordPipe: recordPipeSender(lane, recordPipe, terminals) });
  if (terminals.length === 0) return;
  // Their numbers may be given to others as soon as they are closed.
  entry.update({ terminals: [] });
  converse(lane, closePairs(terminals));
}

function perform(job: Job): WorkerMessage {
  switch (job.kind) {
    case 'settle':
      settleEntry(JournalEntry.open(laneOf(job.container.initPid).records, job.slot), job.settlement, job.container);
      return { kind: 'done' };
    case 'tidy':
      for (const hostPid of job.hostPids) tidy(hostPid);
      return { kind: 'done' };
    case 'source':
      return runSource(job);
    case 'target':
      return runTarget(job);
  }
}

parentPort?.on('message', (job: Job) => {
  try {
    tell(perform(job));
  } catch (error) {
    const { message, stack } = error as Error;
    const code = error instanceof KorriganError ? error.code : 'KRG_INTERNAL';
    tell({ kind: 'failed', error: { code, message, ...(stack === undefined ? {} : { stack }) } });
  }
});

setInterval(() => releaseLate(), LATE_MILLISECONDS).unref();
tell({ kind: 'ready' });
// Learned now or by the first job, which would be slower for it.
whyNoKernelTasks();
processorFeatures();
