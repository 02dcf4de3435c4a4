/**
 * The floor of moving bytes: a raw TCP copy over loopback between two threads, through one buffer of the migration's size on each side, from the
 * first byte's departure to the answer that all have arrived. Run as a worker, this file is the receiver.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { once } from 'node:events';
import { BlockingListener, BlockingSocket, NativeMemory } from '../src/linux/index.ts';

const BUFFER_SIZE = 2 << 20;
const DEADLINE_MILLISECONDS = 10_000;
const HOST = '127.0.0.1';

/** @returns milliseconds of each copy of `bytes` */
export async function measureTcpCopies(bytes: number, copies: number): Promise<number[]> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { bytes, copies } });
  const [port] = (await once(worker, 'message')) as [number];
  using socket = BlockingSocket.connect(HOST, port, DEADLINE_MILLISECONDS);
  const memory = NativeMemory.allocate(BUFFER_SIZE);
  memory.bytes.fill(1);
  const samples: number[] = [];
  for (let copy = 0; copy < copies; copy++) {
    const started = performance.now();
    for (let done = 0; done < bytes; ) {
      const part = Math.min(BUFFER_SIZE, bytes - done);
      socket.writeFrom(memory.address, part);
      done += part;
    }
    socket.readSome(memory.address, 1);
    samples.push(performance.now() - started);
  }
  memory.free();
  await once(worker, 'exit');
  return samples;
}

function receive({ bytes, copies }: { bytes: number; copies: number }): void {
  using listener = new BlockingListener(HOST);
  parentPort?.postMessage(listener.port, []);
  using socket = listener.accept(DEADLINE_MILLISECONDS, DEADLINE_MILLISECONDS);
  if (socket === undefined) throw new Error('nobody connected');
  const memory = NativeMemory.allocate(BUFFER_SIZE);
  for (let copy = 0; copy < copies; copy++) {
    for (let done = 0; done < bytes; ) done += socket.readSome(memory.address, Math.min(BUFFER_SIZE, bytes - done));
    socket.writeFrom(memory.address, 1);
  }
}

if (!isMainThread && workerData !== null && typeof workerData === 'object' && 'copies' in workerData) {
  receive(workerData as { bytes: number; copies: number });
}
