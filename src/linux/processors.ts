/** On which processors the calling thread runs: getcpu(2), sched_setaffinity(2). */
import { NativeMemory, syscall, trySyscall } from './native.ts';

const CALLING_THREAD = 0;
/** Room for 8192 processors, the most that Linux is built for. */
const MASK_SIZE = 1024;

const memory = NativeMemory.allocate(MASK_SIZE + 8);

/** The processor on which the calling thread runs at this moment. */
export function currentProcessor(): number {
  syscall('getcpu', memory.address + MASK_SIZE, 0, 0);
  return memory.view.getUint32(MASK_SIZE, true);
}

/**
 * Keeps the calling thread off a processor, as far as there are others that it may use: two threads that wake each other over a local socket
 * are put on one processor by the scheduler (kernel/sched/fair.c, wake_affine), where each waits for the other's turn to end.
 */
export function avoidProcessor(processor: number): Disposable {
  const size = syscall('sched_getaffinity', CALLING_THREAD, MASK_SIZE, memory.address);
  const before = memory.bytes.slice(0, size);
  const mask = before.slice();
  const byte = processor >> 3;
  mask[byte] = (mask[byte] ?? 0) & ~(1 << (processor & 7));
  if (processor < size * 8 && mask.some((bits) => bits !== 0)) setProcessors(mask);
  return { [Symbol.dispose]: () => setProcessors(before) };
}

/** Processors may come and go meanwhile (EINVAL): then the thread stays where it is. */
function setProcessors(mask: Uint8Array): void {
  memory.bytes.set(mask);
  trySyscall('sched_setaffinity', CALLING_THREAD, mask.length, memory.address);
}
