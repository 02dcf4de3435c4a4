/**
 * One end of a stream: carries bytes between descriptors of pid 1 and the other end, which is on another node or with the user. Everything
 * that must not be lost is in its slot of the store; the object may vanish at any moment, and another one goes on from the slot.
 * Bytes that were read stay in the slot until the other end has confirmed them, so a connection may be cut and made anew at will.
 */
import { EPOLL, ERRNO, KorriganError, SyscallError } from '../linux/index.ts';
import type { FrameLink } from './frame-link.ts';
import type { Frame } from './frames.ts';
import type { Readiness } from './readiness.ts';
import { RING_SIZE, type StreamSlot } from './slot.ts';

/** Bytes that may wait for confirmation. The rest of the ring is for what a terminal still holds when its processes leave. */
export const WINDOW_BYTES = RING_SIZE - 64 * 1024;
/** The other end is told of written bytes when there are so many, or when nothing waits to be written. */
const TELL_BYTES = 128 * 1024;
/** A full ring is filled again when there is so much room: each step is a program of pid 1, which costs the same whatever it moves. */
const REFILL_BYTES = WINDOW_BYTES / 2;

export interface ConduitOptions {
  readonly slot: StreamSlot;
  readonly readiness: Readiness;
  /** The two directions of a terminal end together. */
  readonly isTerminal: boolean;
  /** Told once when neither direction is left. */
  readonly over: () => void;
}

export class Conduit {
  readonly slot: StreamSlot;
  /** Resolves when nothing more will be read: with the end of the source, or because the other end wants no more. */
  readonly sourceOver: Promise<void>;
  private readonly options: ConduitOptions;
  private readonly resolveSourceOver: () => void;
  private sourceFd: number | undefined;
  private sinkFd: number | undefined;
  private link: FrameLink | undefined;
  private channel = 0;
  /** Position up to which bytes were sent over the present link. */
  private sent = 0;
  /** Position up to which bytes have come over the present link, and up to which the other end knows that they were written. */
  private received: number;
  private told = 0;
  private incomingEnded = false;
  private sourceEnded = false;
  private endsWhenEmpty = false;
  private isFinished = false;
  private isPushing = false;

  constructor(options: ConduitOptions) {
    this.options = options;
    this.slot = options.slot;
    this.received = this.slot.written;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.sourceOver = promise;
    this.resolveSourceOver = resolve;
  }

  get isOver(): boolean {
    return !this.slot.has('source') && !this.slot.has('sink');
  }

  /** Starts to read and write the descriptors. */
  start(): void {
    if (this.link === undefined) this.received = this.slot.written;
    if (this.slot.has('source')) this.sourceFd ??= this.slot.take('source');
    else this.resolveSourceOver();
    if (this.slot.has('sink')) this.sinkFd ??= this.slot.take('sink');
    this.pull();
    this.push();
    this.finishIfOver();
  }

  /** Lets go of the descriptors and of the other end, at once. The slot says where the stream stands. */
  stop(): void {
    this.detach();
    for (const fd of [this.sourceFd, this.sinkFd]) if (fd !== undefined) this.options.readiness.close(fd);
    this.sourceFd = undefined;
    this.sinkFd = undefined;
  }

  /**
   * Talks to the other end from now on.
   * @param confirmed position up to which the other end has bytes
   * @throws KorriganError KRG_BAD_REQUEST when it cannot have come so far
   */
  attach(link: FrameLink, channel: number, confirmed: number): void {
    this.confirm(confirmed, this.slot.read);
    this.link = link;
    this.channel = channel;
    this.sent = confirmed;
    this.received = this.slot.written;
    this.told = this.slot.written;
    this.incomingEnded = false;
    this.sendNew();
    if (this.sourceEnded || !this.slot.has('source')) link.send({ type: 'end', channel });
    if (!this.slot.has('sink')) link.send({ type: 'closed', channel });
    this.pull();
  }

  /** The link is no more. */
  detach(): void {
    this.link = undefined;
    this.received = this.slot.written; // the rest comes again
  }

  /** A frame of this stream's channel. @throws KorriganError KRG_BAD_REQUEST */
  take(frame: Exclude<Frame, { type: 'message' }>): void {
    switch (frame.type) {
      case 'data':
        this.receive(frame.bytes);
        return;
      case 'written':
        this.confirm(frame.position, this.sent);
        if (WINDOW_BYTES - (this.slot.read - this.slot.confirmed) >= REFILL_BYTES) this.pull();
        return;
      case 'end':
        this.incomingEnded = true;
        this.push();
        return;
      case 'closed':
        this.endSource();
        if (this.options.isTerminal) this.endSink();
        this.finishIfOver();
        return;
    }
  }

  /** Takes what the source still has as its end. */
  endWhenEmpty(): void {
    this.endsWhenEmpty = true;
    this.pull();
  }

  /** Ends it: there is no other end any more. */
  abandon(): void {
    this.endSource();
    this.endSink();
    this.finishIfOver();
  }

  private receive(bytes: Uint8Array): void {
    if (this.sinkFd === undefined && !this.slot.has('sink')) return;
    if (this.received + bytes.length - this.slot.written > RING_SIZE) {
      throw new KorriganError('KRG_BAD_REQUEST', `the other end of a stream sent more than ${RING_SIZE} bytes ahead`);
    }
    this.slot.stage(this.received, bytes);
    this.received += bytes.length;
    this.pushSoon();
  }

  private confirm(position: number, limit: number): void {
    if (position < this.slot.confirmed || position > limit) {
      throw new KorriganError(
        'KRG_BAD_REQUEST',
        `the other end of a stream confirmed position ${position}, between ${this.slot.confirmed} and ${limit} was possible`,
      );
    }
    this.slot.confirmed = position;
  }

  private sendNew(): void {
    if (this.link === undefined) return;
    const end = this.slot.read;
    for (const bytes of this.slot.bytes(this.sent, end)) this.link.send({ type: 'data', channel: this.channel, bytes });
    this.sent = end;
  }

  /** Reads until the source has nothing or the ring is full. */
  private pull(): void {
    const { slot } = this;
    while (this.sourceFd !== undefined && !this.sourceEnded) {
      if (slot.read - slot.confirmed >= WINDOW_BYTES) return; // goes on with a confirmation
      const length = slot.pull(WINDOW_BYTES);
      if (length > 0) {
        this.sendNew();
      } else if (length === -ERRNO.EAGAIN && !this.endsWhenEmpty) {
        this.options.readiness.wait(this.sourceFd, EPOLL.in, () => this.pull());
        return;
      } else if (length === 0 || length === -ERRNO.EIO || length === -ERRNO.EAGAIN) {
        this.sourceEnded = true; // EIO: nobody has the terminal open (pty(7))
        this.resolveSourceOver();
        this.link?.send({ type: 'end', channel: this.channel });
      } else if (length !== -ERRNO.EINTR) {
        throw new SyscallError('read', -length);
      }
    }
  }

  /** Together with what else has come by then. */
  private pushSoon(): void {
    if (this.isPushing) return;
    this.isPushing = true;
    setImmediate(() => {
      this.isPushing = false;
      this.push();
    });
  }

  /** Writes until nothing is left or the sink is full. */
  private push(): void {
    const { slot } = this;
    while (this.sinkFd !== undefined) {
      if (slot.written === this.received) {
        if (this.incomingEnded) {
          this.endSink();
          this.finishIfOver();
        } else {
          this.tellWritten(1);
          this.watchForReaders(this.sinkFd);
        }
        return;
      }
      const length = slot.push(this.received);
      if (length > 0) {
        this.tellWritten(TELL_BYTES);
      } else if (length === -ERRNO.EAGAIN) {
        this.options.readiness.wait(this.sinkFd, EPOLL.out, () => this.push());
        return;
      } else if (length !== -ERRNO.EINTR) {
        this.endSink(); // nobody reads any more
        this.finishIfOver();
      }
    }
  }

  /** A pipe without readers is an error for who writes, also while nothing is written. */
  private watchForReaders(fd: number): void {
    if (this.options.isTerminal) return;
    this.options.readiness.wait(fd, 0, (events) => {
      if ((events & EPOLL.error) === 0) return;
      this.endSink();
      this.finishIfOver();
    });
  }

  private tellWritten(atLeast: number): void {
    if (this.slot.written - this.told < atLeast) return;
    this.told = this.slot.written;
    this.link?.send({ type: 'written', channel: this.channel, position: this.told });
  }

  private endSource(): void {
    if (this.sourceFd !== undefined) this.options.readiness.close(this.sourceFd);
    this.sourceFd = undefined;
    this.slot.close('source');
    this.resolveSourceOver();
  }

  private endSink(): void {
    const wasOpen = this.slot.has('sink');
    if (this.sinkFd !== undefined) this.options.readiness.close(this.sinkFd);
    this.sinkFd = undefined;
    this.slot.close('sink');
    if (wasOpen) this.link?.send({ type: 'closed', channel: this.channel });
    if (wasOpen && this.options.isTerminal) this.endSource();
  }

  private finishIfOver(): void {
    if (!this.isOver || this.isFinished) return;
    this.isFinished = true;
    this.options.over();
  }
}
