/** A ghost worker: the thread that holds processes by ptrace. Does one job after the other, blocking in the kernel. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { BlockingListener, BlockingSocket, KorriganError } from '../linux/index.ts';
import { Lane } from '../container/index.ts';
import { MigrationChannel } from '../mm/index.ts';
import type { Job, SourceJob, TargetJob, WorkerMessage } from './jobs.ts';
import { askAboutRelay } from './relay-questions.ts';
import { SourceMigration } from './source.ts';
import { LocalSourceParts } from './source-parts.ts';
import { TargetMigration } from './target.ts';
import { LocalTargetParts } from './target-parts.ts';

/** How long the source may take to connect, and either side to answer. */
const CONNECT_MILLISECONDS = 5000;
const SILENCE_MILLISECONDS = 30_000;
const ACKNOWLEDGE_MILLISECONDS = 5000;

const { lane: laneIndex } = workerData as { lane: number };
let lane: Lane | undefined;

function laneOf(initPid: number): Lane {
  lane ??= Lane.attach(initPid, laneIndex);
  return lane;
}

function tell(message: WorkerMessage, transfer: MessagePort[] = []): void {
  parentPort?.postMessage(message, transfer);
}

function tellCommitted(): void {
  const acknowledged = new Int32Array(new SharedArrayBuffer(4));
  tell({ kind: 'committed', acknowledged });
  Atomics.wait(acknowledged, 0, 0, ACKNOWLEDGE_MILLISECONDS);
}

function runSource(job: SourceJob): WorkerMessage {
  const channel = new MigrationChannel(BlockingSocket.connect(job.host, job.port, SILENCE_MILLISECONDS));
  try {
    const parts = new LocalSourceParts(job, laneOf(job.container.initPid), {
      committed: tellCommitted,
      ask: (question) => askAboutRelay(question, tell),
    });
    return { kind: 'moved', report: new SourceMigration(channel, job.moving, parts).run(job) };
  } finally {
    channel.close();
  }
}

function runTarget(job: TargetJob): WorkerMessage {
  using listener = new BlockingListener(job.host);
  tell({ kind: 'listening', port: listener.port });
  const socket = listener.accept(CONNECT_MILLISECONDS, SILENCE_MILLISECONDS);
  if (socket === undefined) throw new KorriganError('KRG_NODE_DEAD', 'the source did not connect');
  const channel = new MigrationChannel(socket);
  try {
    const parts = new LocalTargetParts(job, laneOf(job.container.initPid), (question) => askAboutRelay(question, tell));
    new TargetMigration(channel, parts).run(job);
    return { kind: 'arrived', pids: parts.arrivals, relays: parts.arrivedRelays };
  } finally {
    channel.close();
  }
}

function perform(job: Job): WorkerMessage {
  switch (job.kind) {
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
