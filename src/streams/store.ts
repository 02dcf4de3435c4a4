/**
 * Where streams stand, so that no byte is lost or doubled when the daemon is killed. The store is memory that pid 1 and the daemon
 * share (a sparse memfd) and that outlives the daemon; each stream has a slot of it: descriptors of pid 1, positions, a ring with the bytes that
 * were read and not yet confirmed by the other end, and a place for those that are to be written.
 *
 * The rule: **a byte moves between a descriptor and the store together with the count of it, in one program of pid 1**. Pid 1 finishes its
 * program whatever becomes of the daemon, so there is no moment at which bytes have moved and nobody knows. The same holds for
 * descriptors: pid 1 opens one and notes its number, closes one and forgets it, in one program.
 *
 * | offset in the memfd | what |
 * |---|---|
 * | slot × 4096 | its header, see slot.ts |
 * | 4 MiB + slot × 1 MiB | ring of bytes read, 512 KiB; place of bytes to be written, 512 KiB |
 */
import type { Container } from '../container/index.ts';
import { KorriganError, NativeMemory, syscall } from '../linux/index.ts';
import { BODY_SIZE, HEADER_SIZE, StreamSlot, USED_AT } from './slot.ts';

const SLOTS = 1024;
const HEADERS_SIZE = SLOTS * HEADER_SIZE;
const STORE_SIZE = HEADERS_SIZE + SLOTS * BODY_SIZE;
const PUNCH_HOLE_KEEP_SIZE = 3;

export class StreamStore implements Disposable {
  private readonly container: Container;
  private readonly fd: number;
  private readonly address: number;
  private readonly headers: NativeMemory;
  private readonly bodies = new Map<number, NativeMemory>();

  constructor(container: Container) {
    this.container = container;
    const { fd, address } = container.shareStreamMemory(STORE_SIZE);
    this.fd = fd;
    this.address = address;
    this.headers = NativeMemory.mapShared(fd, HEADERS_SIZE);
  }

  /** The slots in use: after the start of a daemon, what its predecessor left. */
  used(): StreamSlot[] {
    return Array.from({ length: SLOTS }, (_, index) => index)
      .filter((index) => this.headers.view.getUint32(index * HEADER_SIZE + USED_AT, true) === 1)
      .map((index) => this.slot(index));
  }

  /** Takes a free slot. @throws KorriganError KRG_LIMIT */
  allocate(note: unknown): StreamSlot {
    for (let index = 0; index < SLOTS; index++) {
      if (this.headers.view.getUint32(index * HEADER_SIZE + USED_AT, true) === 1) continue;
      const slot = this.slot(index);
      slot.begin(note);
      return slot;
    }
    throw new KorriganError('KRG_LIMIT', `this node carries ${SLOTS} streams already; wait until programs with streams to other nodes end`);
  }

  /** The memory of a slot stays mapped: a connection may still hold pieces of it. */
  [Symbol.dispose](): void {
    syscall('close', this.fd);
  }

  private slot(index: number): StreamSlot {
    let body = this.bodies.get(index);
    const offset = HEADERS_SIZE + index * BODY_SIZE;
    if (body === undefined) this.bodies.set(index, (body = NativeMemory.mapShared(this.fd, BODY_SIZE, { offset })));
    return new StreamSlot({
      container: this.container,
      index,
      header: this.headers.bytes.subarray(index * HEADER_SIZE, (index + 1) * HEADER_SIZE),
      headerAddress: this.address + index * HEADER_SIZE,
      body: body.bytes,
      bodyAddress: this.address + offset,
      discardBody: () => syscall('fallocate', this.fd, PUNCH_HOLE_KEEP_SIZE, offset, BODY_SIZE),
    });
  }
}
