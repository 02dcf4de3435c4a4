/** The thread that serves /proc: waits in the kernel for requests of FUSE and for answers of the main thread. */
import { setImmediate as turn } from 'node:timers/promises';
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import {
  decodeFuseInit,
  decodeFuseRequest,
  drainEventfd,
  encodeFuseAnswer,
  encodeFuseError,
  encodeFuseInit,
  encodeFuseResend,
  EPOLL,
  Epoll,
  ERRNO,
  FUSE_FEATURE,
  FUSE_MAX_PAGES,
  FUSE_OPERATION,
  FUSE_VERSION,
  type FuseRequest,
  NativeMemory,
  OLDEST_FUSE_MINOR,
  SyscallError,
  trySyscall,
} from '../linux/index.ts';
import { LocalProcfs } from './local-procfs.ts';
import { Questions } from './questions.ts';
import { ProcServer } from './server.ts';
import type { ServerCommand, ServerEvent, ServerWorkerData } from './server-protocol.ts';

const { fuse, procfs, node, bell, commands } = workerData as ServerWorkerData & { commands: MessagePort };
const FEATURES = FUSE_FEATURE.parallelDirectoryOperations | FUSE_FEATURE.maxPages | FUSE_FEATURE.bigWrites;
/** About the time of two wake-ups on another processor. */
const LOOKING_MILLISECONDS = 0.05;
/** Reads before answers of the main thread are looked for. */
const TURNS = 1000;
/** Nobody writes. */
const MAX_WRITE = 4096;

function post(event: ServerEvent): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port of a worker, not a window
  parentPort?.postMessage(event);
}

const memory = NativeMemory.allocate(FUSE_MAX_PAGES * 4096);
const questions = new Questions((request) => post({ kind: 'ask', request }));
const server = new ProcServer({ local: new LocalProcfs(procfs, node), node, questions });
let underWay = 0;

/** Who asked may have been killed, which the kernel says with ENOENT. */
function send(bytes: Uint8Array): void {
  trySyscall('write', fuse, bytes, bytes.length);
}

function errnoOf(error: unknown): number {
  if (error instanceof SyscallError) return error.errno;
  post({ kind: 'fault', error });
  return ERRNO.EIO;
}

function serve(request: FuseRequest): void {
  const { unique } = request;
  try {
    if (request.operation === FUSE_OPERATION.init) {
      send(encodeFuseAnswer(unique, begin(request.body)));
      return;
    }
    const answer = server.answer(request);
    if (!(answer instanceof Promise)) {
      if (answer !== undefined) send(encodeFuseAnswer(unique, answer));
      return;
    }
    underWay++;
    answer
      .then(
        (body) => send(encodeFuseAnswer(unique, body)),
        (error: unknown) => send(encodeFuseError(unique, errnoOf(error))),
      )
      .finally(() => underWay--);
  } catch (error) {
    send(encodeFuseError(unique, errnoOf(error)));
  }
}

function begin(body: Uint8Array): Uint8Array {
  const { major, minor, maxReadAhead, flags } = decodeFuseInit(body);
  if (major !== FUSE_VERSION.major || minor < OLDEST_FUSE_MINOR) throw new SyscallError('FUSE_INIT', ERRNO.EPROTO);
  return encodeFuseInit({ minor, maxReadAhead, flags: flags & FEATURES, maxWrite: MAX_WRITE });
}

/**
 * Who has just been answered often asks again at once, and to be woken costs more than to wait a moment: it is waited for by looking, while nothing else is to be done.
 * @returns whether to go on: not when the container has ended, and its mount with it
 */
function receive(): boolean {
  let lastAnswer = performance.now();
  for (let turns = 0; turns < TURNS; turns++) {
    const length = trySyscall('read', fuse, memory.address, memory.length);
    if (length === -ERRNO.EAGAIN) {
      if (underWay > 0 || performance.now() - lastAnswer > LOOKING_MILLISECONDS) return true;
    } else if (length > 0) {
      // What is answered later keeps its name.
      serve(decodeFuseRequest(memory.bytes.slice(0, length)));
      lastAnswer = performance.now();
    } else if (length === -ERRNO.ENODEV) return false;
    else if (length !== -ERRNO.ENOENT && length !== -ERRNO.EINTR) throw new SyscallError('read', -length, '/dev/fuse');
  }
  return true;
}

/** @returns whether to go on */
function obey(): boolean {
  drainEventfd(bell);
  for (let message = receiveMessageOnPort(commands); message !== undefined; message = receiveMessageOnPort(commands)) {
    const command = message.message as ServerCommand;
    if (command.kind === 'stop') return false;
    if (command.kind === 'joined') questions.joined();
    else questions.answered(command);
  }
  return true;
}

const epoll = new Epoll();
epoll.add(bell, EPOLL.in);
epoll.add(fuse, EPOLL.in);
// What an earlier daemon has read and not answered. The kernel knows nothing of it before the first one has begun.
send(encodeFuseResend());

for (let goesOn = true; goesOn; ) {
  for (const { fd } of epoll.wait(questions.patience)) goesOn = (fd === bell ? obey() : receive()) && goesOn;
  questions.expire();
  if (underWay > 0) await turn();
}
epoll[Symbol.dispose]();
