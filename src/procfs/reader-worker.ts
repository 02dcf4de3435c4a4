/** The thread that reads the node's procfs for this node and for others. */
import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { Lane } from '../container/index.ts';
import { converse, errorToJSON, INIT_PROCFS_FD, parseClockOffsets, readClockOffsets, settled, stealDescriptor } from '../linux/index.ts';
import { pack } from '../rpc/index.ts';
import { operationsOf } from './messages.ts';
import { readOwnProcfs } from './node-reader.ts';
import { ProcessReader } from './process-reader.ts';
import type { ReaderMessage, ReaderQuestion, ReaderReply, ReaderWorkerData } from './reader-protocol.ts';

/** Of USER_HZ. */
const NANOSECONDS_PER_TICK = 10_000_000n;

const { initPid, node, lane: laneIndex } = workerData as ReaderWorkerData;
const lane = Lane.attach(initPid, laneIndex);
const inside = parseClockOffsets(readFileSync(`/proc/${initPid}/timens_offsets`, 'latin1')).boottime;
const reader = new ProcessReader({
  procfs: stealDescriptor(initPid, INIT_PROCFS_FD),
  node,
  startTicks: Number((inside - readClockOffsets().boottime) / NANOSECONDS_PER_TICK),
});

function answer(question: ReaderQuestion): unknown {
  switch (question.kind) {
    case 'list':
      return reader.list();
    case 'look': {
      const results = reader.look(question.caller, operationsOf(question.look));
      return results === undefined ? undefined : pack(results);
    }
    case 'node':
      return converse(lane, settled(question.files.map((file) => readOwnProcfs(file)))).map((outcome) =>
        'value' in outcome ? outcome.value : '',
      );
  }
}

parentPort?.on('message', ({ id, question }: ReaderMessage) => {
  let reply: ReaderReply;
  try {
    reply = { id, value: answer(question) };
  } catch (error) {
    reply = { id, error: errorToJSON(error) };
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port of a worker, not a window
  parentPort?.postMessage(reply);
});
