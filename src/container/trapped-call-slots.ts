/**
 * Trapped calls between their receipt and their answer. The kernel writes each notification straight into a slot of the arena, so
 * a daemon that dies with calls in flight leaves them there, and the next one answers them: the callers notice nothing.
 * Belongs to the thread that waits for the listener.
 */
import {
  addressOf,
  decodeNotification,
  encodeAnswer,
  ERRNO,
  NOTIFICATION_SIZE,
  SECCOMP_NOTIFY,
  SyscallError,
  trySyscall,
  writeMemory,
  type Notification,
  type NotificationAnswer,
} from '../linux/index.ts';
import { Arena, SECCOMP_SLOTS } from './arena.ts';

/** A call that waits for its answer. */
export interface TrappedCallInFlight extends Notification {
  readonly slot: number;
}

export class TrappedCallSlots {
  private readonly arena: Arena;
  private readonly listener: number;
  private readonly free: number[];

  /** @param listener descriptor here of the listener */
  private constructor(arena: Arena, listener: number) {
    this.arena = arena;
    this.listener = listener;
    this.free = Array.from({ length: SECCOMP_SLOTS.count }, (_, slot) => slot).filter((slot) => this.idIn(slot) === 0n);
  }

  /** @param initPid host pid of the container's pid 1 */
  static open(initPid: number, listener: number): TrappedCallSlots {
    const arena = Arena.open(initPid);
    if (arena === undefined) throw new RangeError(`process ${initPid} is not the pid 1 of a container`);
    return new TrappedCallSlots(arena, listener);
  }

  /** False while every slot is taken: the listener must not be waited for then. */
  get hasRoom(): boolean {
    return this.free.length > 0;
  }

  /** The calls that an earlier daemon received and did not answer, and whose callers still wait. */
  inherited(): TrappedCallInFlight[] {
    const calls: TrappedCallInFlight[] = [];
    for (let slot = 0; slot < SECCOMP_SLOTS.count; slot++) {
      if (this.idIn(slot) === 0n) continue;
      if (this.isValid(slot)) calls.push(this.decode(slot));
      else this.release(slot);
    }
    return calls;
  }

  /** Takes the next call; undefined when its caller has gone meanwhile. */
  receive(): TrappedCallInFlight | undefined {
    const slot = this.free.pop();
    if (slot === undefined) return undefined;
    const result = trySyscall('ioctl', this.listener, SECCOMP_NOTIFY.receive, this.arena.addressHere(offsetOf(slot)));
    if (result === 0) return this.decode(slot);
    this.release(slot);
    if (result === -ERRNO.ENOENT || result === -ERRNO.EINTR) return undefined;
    throw new SyscallError('ioctl', -result, 'SECCOMP_IOCTL_NOTIF_RECV');
  }

  /** Lets the caller go on. @returns false when it no longer waits: it was killed, or a signal interrupted it */
  answer(call: { slot: number; id: bigint }, answer: NotificationAnswer): boolean {
    const response = encodeAnswer(call.id, this.written(call.slot, answer));
    const result = trySyscall('ioctl', this.listener, SECCOMP_NOTIFY.send, addressOf(response));
    this.release(call.slot);
    if (result < 0 && result !== -ERRNO.ENOENT) throw new SyscallError('ioctl', -result, 'SECCOMP_IOCTL_NOTIF_SEND');
    return result === 0;
  }

  close(): void {
    this.arena.close();
  }

  /** Writes what the call returns in memory, as long as its caller waits. @returns the answer, or EFAULT */
  private written(slot: number, answer: NotificationAnswer): NotificationAnswer {
    if (answer.kind !== 'value' || answer.writes === undefined || !this.isValid(slot)) return answer;
    const { thread } = this.decode(slot);
    try {
      for (const { address, bytes } of answer.writes) writeMemory(thread, address, bytes);
      return answer;
    } catch (error) {
      if (error instanceof RangeError || error instanceof SyscallError) return { kind: 'error', errno: ERRNO.EFAULT };
      throw error;
    }
  }

  private isValid(slot: number): boolean {
    return trySyscall('ioctl', this.listener, SECCOMP_NOTIFY.idValid, this.arena.addressHere(offsetOf(slot))) === 0;
  }

  private decode(slot: number): TrappedCallInFlight {
    return { ...decodeNotification(new DataView(this.arena.view.buffer, offsetOf(slot), NOTIFICATION_SIZE)), slot };
  }

  private idIn(slot: number): bigint {
    return this.arena.view.getBigUint64(offsetOf(slot), true);
  }

  private release(slot: number): void {
    this.arena.memory.bytes.fill(0, offsetOf(slot), offsetOf(slot) + NOTIFICATION_SIZE);
    this.free.push(slot);
  }
}

const offsetOf = (slot: number): number => SECCOMP_SLOTS.offset + slot * SECCOMP_SLOTS.size;
