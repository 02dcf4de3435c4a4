/**
 * One end of a relay: moves bytes between a descriptor and the other node's end. Both ends are alike; they differ in who attaches to
 * whom. Lives on the daemon's main thread.
 */
import { closeSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { ReadStream } from 'node:tty';
import { KorriganError, TERMINAL, TTY, trySyscall } from '../linux/index.ts';
import type { RpcStream } from '../rpc/index.ts';
import type { RelayMessage } from './relay-protocol.ts';
import { RetainedBytes } from './retained-bytes.ts';

/** Bytes in one direction that the other node may not have confirmed yet. */
const WINDOW_BYTES = 256 * 1024;
const READ_BYTES = 64 * 1024;
/** How often the home's terminal is asked for its size, and a full one for room. */
const SIZE_MILLISECONDS = 200;
const ROOM_MILLISECONDS = 5;

export type RelayLink = RpcStream<RelayMessage, RelayMessage>;

export interface RelayEndOptions {
  /** Bytes go from the descriptor to the other node. */
  readonly reads: boolean;
  /** Bytes come from the other node for the descriptor. */
  readonly writes: boolean;
  readonly sent: { readonly start: number; readonly bytes: Uint8Array };
  readonly received: number;
  /** A terminal, whose two directions end together: the home's slave, or the master of the one that the process has. */
  readonly terminal?: 'home' | 'away' | undefined;
  /** A descriptor of this process, to be closed by the taker; undefined when nobody has the other end of it any more. */
  open(mode: 'read' | 'write'): number | undefined;
  /** Told once when nothing remains to be relayed. */
  over(): void;
}

export class RelayEnd {
  private readonly options: RelayEndOptions;
  private readonly outgoing: RetainedBytes;
  /** Received and not yet handed to the kernel. */
  private queue: Uint8Array[] = [];
  /** Bytes that the kernel has. */
  private written: number;
  /** Bytes of the one write that is under way. */
  private writing = 0;
  private reader: Socket | undefined;
  private writer: Socket | undefined;
  private link: RelayLink | undefined;
  /** The other end knows where it stands: data may be sent. */
  private isAttached = false;
  private isRunning = false;
  private sourceEnded = false;
  private incomingEnded = false;
  private isFinished = false;
  /** Of a terminal. */
  private terminalFd: number | undefined;
  private retry: NodeJS.Timeout | undefined;
  private sizeWatch: NodeJS.Timeout | undefined;
  private lastSize = '';
  private outgoingDone: boolean;
  private incomingDone: boolean;

  constructor(options: RelayEndOptions) {
    this.options = options;
    this.outgoing = new RetainedBytes(options.sent.start, WINDOW_BYTES);
    this.outgoing.push(options.sent.bytes);
    this.written = options.received;
    this.outgoingDone = !options.reads;
    this.incomingDone = !options.writes;
  }

  get isOver(): boolean {
    return this.outgoingDone && this.incomingDone;
  }

  /** Position up to which bytes have come that will not be dropped. */
  get received(): number {
    return this.written + this.writing;
  }

  /** Starts to read and write the descriptor. */
  start(): void {
    this.isRunning = true;
    if (this.options.terminal !== undefined) this.terminalFd = this.options.open('write');
    if (this.options.terminal === 'home') this.sizeWatch = setInterval(() => this.tellSize(), SIZE_MILLISECONDS).unref();
    if (!this.outgoingDone && !this.sourceEnded) this.startReading();
    if (!this.incomingDone) this.pump();
  }

  /** Lets go of the descriptor and of the other node, at once. @returns where it stands */
  stop(): { sent: { start: number; bytes: Uint8Array }; received: number } {
    this.isRunning = false;
    if (this.writer !== undefined) {
      // What libuv has not got rid of is not written: nobody will, once the handle is closed.
      // oxlint-disable-next-line no-underscore-dangle -- Node offers the exact count nowhere else
      const handle = (this.writer as unknown as { _handle: { writeQueueSize: number } | null })._handle;
      this.written += this.writing - (handle?.writeQueueSize ?? 0);
      this.writing = 0;
    }
    this.letGo();
    this.detach('the relay was stopped');
    return { sent: { start: this.outgoing.start, bytes: Buffer.concat(this.outgoing.chunks) }, received: this.written };
  }

  /** While it is stopped: bytes that were read by other means. */
  add(bytes: Uint8Array): void {
    this.outgoing.push(bytes);
  }

  /** While it is stopped: everything before this position has been written by other means. */
  skipTo(position: number): void {
    this.written = position;
  }

  /**
   * Talks to the other end until the link or the relay is over. A link that was attached before is dropped.
   * @param confirmed what the other end has; undefined when it will say so first
   */
  async converse(link: RelayLink, confirmed?: number): Promise<void> {
    this.detach('the relay was attached anew');
    this.link = link;
    this.queue = [];
    this.incomingEnded = false;
    if (confirmed !== undefined) {
      this.send({ kind: 'resume', received: this.received });
      this.attached(confirmed);
    }
    try {
      for (let message = await link.read(); message !== undefined && this.link === link; message = await link.read()) this.take(message);
    } finally {
      if (this.link === link) {
        this.link = undefined;
        this.isAttached = false;
        this.queue = []; // comes again from `received` on
      }
    }
  }

  /** Ends it: there is no other end any more. */
  abandon(): void {
    this.outgoingDone = true;
    this.incomingDone = true;
    this.letGo();
    this.finishIfOver();
  }

  private detach(reason: string): void {
    const { link } = this;
    this.link = undefined;
    this.isAttached = false;
    link?.abort(new KorriganError('KRG_CANCELLED', reason));
  }

  private letGo(): void {
    this.reader?.destroy();
    this.reader = undefined;
    this.writer?.destroy();
    this.writer = undefined;
    this.queue = [];
    clearTimeout(this.retry);
    clearInterval(this.sizeWatch);
    if (this.terminalFd !== undefined) closeSync(this.terminalFd);
    this.terminalFd = undefined;
  }

  private send(message: RelayMessage): void {
    // A link that is lost says so to `converse`; what was not confirmed is sent again over the next one.
    this.link?.write(message).catch(() => undefined);
  }

  private attached(confirmed: number): void {
    this.isAttached = true;
    this.confirm(confirmed);
    this.lastSize = '';
    this.tellSize();
    if (this.outgoingDone) return;
    for (const bytes of this.outgoing.chunks) this.send({ kind: 'data', bytes });
    if (this.sourceEnded) this.send({ kind: 'end' });
  }

  private take(message: RelayMessage): void {
    switch (message.kind) {
      case 'resume':
        this.attached(message.received);
        return;
      case 'data':
        if (this.incomingDone) return;
        this.queue.push(message.bytes);
        this.pump();
        return;
      case 'written':
        this.confirm(message.position);
        return;
      case 'size':
        if (this.terminalFd !== undefined) trySyscall('ioctl', this.terminalFd, TTY.setWindowSize, message.size);
        return;
      case 'end':
        this.incomingEnded = true;
        this.pump();
        return;
      case 'closed':
        this.outgoingDone = true;
        if (this.options.terminal !== undefined) this.incomingDone = true;
        this.reader?.destroy();
        this.reader = undefined;
        this.finishIfOver();
        return;
    }
  }

  private confirm(position: number): void {
    if (this.outgoingDone) return;
    this.outgoing.confirm(position);
    if (this.outgoing.hasRoom) this.reader?.resume();
  }

  private startReading(): void {
    const fd = this.options.open('read');
    if (fd === undefined) {
      this.sourceHasEnded();
      return;
    }
    const callback = (length: number, buffer: Uint8Array): boolean => {
      const bytes = Uint8Array.prototype.slice.call(buffer, 0, length);
      this.outgoing.push(bytes);
      if (this.isAttached) this.send({ kind: 'data', bytes });
      return this.outgoing.hasRoom;
    };
    const onread = { buffer: new Uint8Array(READ_BYTES), callback };
    const reader =
      this.options.terminal === undefined ? new Socket({ fd, readable: true, writable: false, onread }) : new ReadStream(fd, { onread });
    if (this.options.terminal !== undefined) reader.resume();
    this.reader = reader;
    const ended = (): void => {
      if (this.reader === reader) this.sourceHasEnded();
    };
    reader.on('end', ended);
    reader.on('error', ended);
  }

  private sourceHasEnded(): void {
    this.reader?.destroy();
    this.reader = undefined;
    this.sourceEnded = true;
    if (this.isAttached) this.send({ kind: 'end' });
  }

  /** Writes one chunk after the other. */
  private pump(): void {
    if (!this.isRunning || this.writing > 0 || this.incomingDone) return;
    const bytes = this.queue.shift();
    if (bytes === undefined) {
      if (this.incomingEnded) this.incomingIsDone();
      return;
    }
    if (this.options.terminal !== undefined) {
      this.writeToTerminal(bytes);
      return;
    }
    this.writer ??= this.openWriter();
    const { writer } = this;
    if (writer === undefined) {
      this.incomingIsDone();
      return;
    }
    this.writing = bytes.length;
    writer.write(bytes, (error) => {
      if (error !== null && error !== undefined) return; // see the listener for 'error'
      if (this.writer !== writer) return;
      this.written += this.writing;
      this.writing = 0;
      this.send({ kind: 'written', position: this.written });
      this.pump();
    });
  }

  /** libuv would block on a terminal that is full. */
  private writeToTerminal(bytes: Uint8Array): void {
    try {
      const written = writeSync(this.terminalFd ?? -1, bytes);
      this.written += written;
      if (written < bytes.length) this.queue.unshift(bytes.subarray(written));
      this.send({ kind: 'written', position: this.written });
      this.pump();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') {
        this.incomingIsDone();
        return;
      }
      this.queue.unshift(bytes);
      clearTimeout(this.retry);
      this.retry = setTimeout(() => this.pump(), ROOM_MILLISECONDS);
    }
  }

  private tellSize(): void {
    if (this.options.terminal !== 'home' || this.terminalFd === undefined || !this.isAttached) return;
    const size = new Uint8Array(TERMINAL.windowSize);
    trySyscall('ioctl', this.terminalFd, TTY.getWindowSize, size);
    if (this.lastSize === size.join()) return;
    this.lastSize = size.join();
    this.send({ kind: 'size', size });
  }

  private openWriter(): Socket | undefined {
    const fd = this.options.open('write');
    if (fd === undefined) return undefined;
    const writer = new Socket({ fd, readable: false, writable: true });
    writer.on('error', () => {
      if (this.writer === writer) this.incomingIsDone(); // nobody reads any more
    });
    return writer;
  }

  private incomingIsDone(): void {
    this.send({ kind: 'closed' });
    this.incomingDone = true;
    if (this.options.terminal !== undefined) this.outgoingDone = true;
    this.queue = [];
    this.writing = 0;
    this.writer?.destroy();
    this.writer = undefined;
    this.finishIfOver();
  }

  private finishIfOver(): void {
    if (!this.isOver || this.isFinished) return;
    this.isFinished = true;
    this.isRunning = false;
    this.letGo();
    this.link?.end().catch(() => undefined);
    this.options.over();
  }
}
