/** process_vm_readv(2) and process_vm_writev(2) of processes on other nodes. */
import { z } from 'zod';
import type { TrappedCallInFlight } from '../../container/index.ts';
import { ERRNO, isErrno, type NotificationAnswer, readMemory, type Structure, type TrappedWrite } from '../../linux/index.ts';
import { defineCall } from '../../rpc/index.ts';
import type { NodeFamilies } from '../node-families.ts';
import { type Caller, callerSchema, type CallsForOthers } from './caller.ts';
import type { Places } from './places.ts';

/** struct iovec */
const VECTOR_SIZE = 16;
/** UIO_MAXIOV */
const MOST_VECTORS = 1024;
/** Of one call. A transfer may be partial, and whoever wants more goes on. */
const MOST_BYTES = 1 << 20;

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'bytes');

/** Reads `length` bytes, or writes `content`, at addresses of a process, with the rights of the caller. */
export const memoryCall = defineCall(
  'proc.memory',
  z.object({
    id: z.int().positive(),
    /** struct iovec of the process. */
    vectors: bytes.refine(({ length }) => length > 0 && length % VECTOR_SIZE === 0 && length <= VECTOR_SIZE * MOST_VECTORS, 'vectors'),
    length: z.int().nonnegative().max(MOST_BYTES),
    content: bytes.refine(({ length }) => length <= MOST_BYTES, 'too long').optional(),
    caller: callerSchema,
  }),
  z.object({ isHere: z.boolean(), result: z.int(), bytes }),
);
type MemoryRequest = z.infer<typeof memoryCall.request>;

interface Range {
  readonly address: number;
  readonly length: number;
}

export class RemoteMemory {
  private readonly families: NodeFamilies;
  private readonly places: Places;
  private readonly others: CallsForOthers;

  constructor(families: NodeFamilies, places: Places, others: CallsForOthers) {
    this.families = families;
    this.places = places;
    this.others = others;
    families.options.rpc.handle(memoryCall, (request) =>
      places.here(request.id) === 'process' ? this.transfer(request) : { isHere: false, result: 0, bytes: new Uint8Array() },
    );
  }

  async answer(isWrite: boolean, call: TrappedCallInFlight, caller: Caller): Promise<NotificationAnswer> {
    const [id = 0, localAt = 0, localCount = 0, remoteAt = 0, remoteCount = 0, flags = 0] = call.args.map(Number);
    if (flags !== 0 || localCount > MOST_VECTORS || remoteCount > MOST_VECTORS) return { kind: 'error', errno: ERRNO.EINVAL };
    if (localCount === 0 || remoteCount === 0) return { kind: 'value', value: 0n };
    try {
      const local = rangesOf(readMemory(call.thread, localAt, localCount * VECTOR_SIZE));
      const vectors = readMemory(call.thread, remoteAt, remoteCount * VECTOR_SIZE);
      const length = Math.min(MOST_BYTES, lengthOf(local));
      const content = isWrite ? gathered(call.thread, local, Math.min(length, lengthOf(rangesOf(vectors)))) : undefined;
      const request: MemoryRequest = { id, vectors, length: content?.length ?? length, content, caller };
      const { rpc } = this.families.options;
      const made = await this.places.ask(id, (node) => rpc.call(node, memoryCall, request, this.families.once()));
      if (made === undefined) return { kind: 'error', errno: ERRNO.ESRCH };
      if (made.result < 0) return { kind: 'error', errno: -made.result };
      return { kind: 'value', value: BigInt(made.result), ...(isWrite ? {} : { writes: scattered(local, made.bytes) }) };
    } catch (error) {
      if (error instanceof RangeError || isErrno(error, 'EFAULT')) return { kind: 'error', errno: ERRNO.EFAULT };
      throw error;
    }
  }

  private transfer({ id, vectors, length, content, caller }: MemoryRequest): z.infer<typeof memoryCall.response> {
    const buffer = content === undefined ? new Uint8Array(length) : new Uint8Array(content);
    const own = new Uint8Array(VECTOR_SIZE);
    new DataView(own.buffer).setBigUint64(8, BigInt(buffer.length), true);
    const vector: Structure = { bytes: own, pointers: [{ offset: 0, to: buffer }] };
    const name = content === undefined ? 'process_vm_readv' : 'process_vm_writev';
    const args = [id, vector, 1, new Uint8Array(vectors), vectors.length / VECTOR_SIZE, 0];
    const result = this.others.make(caller, name, args);
    return { isHere: true, result, bytes: content === undefined && result > 0 ? buffer.subarray(0, result) : new Uint8Array() };
  }
}

function rangesOf(vectors: Uint8Array): Range[] {
  const view = new DataView(vectors.buffer, vectors.byteOffset, vectors.length);
  return Array.from({ length: vectors.length / VECTOR_SIZE }, (_, n) => ({
    address: Number(view.getBigUint64(n * VECTOR_SIZE, true)),
    length: Number(view.getBigUint64(n * VECTOR_SIZE + 8, true)),
  }));
}

const lengthOf = (ranges: readonly Range[]): number => ranges.reduce((sum, { length }) => sum + length, 0);

/** The first bytes of the ranges of a process, one after the other. */
function gathered(thread: number, ranges: readonly Range[], length: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let left = length;
  for (const range of ranges) {
    const taken = Math.min(left, range.length);
    if (taken > 0) parts.push(readMemory(thread, range.address, taken));
    left -= taken;
  }
  return new Uint8Array(Buffer.concat(parts));
}

function scattered(ranges: readonly Range[], content: Uint8Array): TrappedWrite[] {
  const writes: TrappedWrite[] = [];
  let at = 0;
  for (const { address, length } of ranges) {
    const taken = Math.min(length, content.length - at);
    if (taken > 0) writes.push({ address, bytes: content.subarray(at, at + taken) });
    at += taken;
  }
  return writes;
}
