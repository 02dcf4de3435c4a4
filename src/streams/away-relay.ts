/** The end of a relayed stream where the process is: it has a fresh pipe or terminal, whose other end is the node's. */
import { fstatSync } from 'node:fs';
import { ERRNO, isKorriganError, KorriganError, syscall, SyscallError, TTY, trySyscall } from '../linux/index.ts';
import type { NodeId, RpcNode } from '../rpc/index.ts';
import type { Conduit } from './conduit.ts';
import { FrameLink } from './frame-link.ts';
import { type AwayNote, homeMessage, type KnownRelay, type RelayState, relayStream } from './relay-protocol.ts';
import { RING_SIZE, type StreamSlot } from './slot.ts';
import type { Streams } from './streams.ts';

const RETRY_MILLISECONDS = 200;
const F_GETFL = 3;
const F_SETFL = 4;
const F_DUPFD_CLOEXEC = 1030;
const O_NONBLOCK = 0o4000;

export interface AwayRelayOptions {
  readonly streams: Streams;
  readonly rpc: RpcNode;
  readonly isLiving: (node: NodeId) => boolean;
  readonly onOver: () => void;
  readonly onFault: (error: unknown) => void;
}

export class AwayRelay {
  readonly slot: StreamSlot;
  private readonly options: AwayRelayOptions;
  private readonly inode: number;
  private readonly terminal: number | undefined;
  private note: AwayNote;
  private conduit: Conduit | undefined;
  /** Aborted when it is to be attached no more. */
  private attachment = new AbortController();

  /** @param slot with the node's end as `source`, `sink` or both */
  constructor(options: AwayRelayOptions, slot: StreamSlot, note: AwayNote) {
    this.options = options;
    this.slot = slot;
    this.note = note;
    const here = slot.take(this.end);
    this.inode = fstatSync(here).ino;
    const number = new Int32Array(1);
    const isTerminal = trySyscall('ioctl', here, TTY.getNumber, new Uint8Array(number.buffer)) === 0;
    this.terminal = isTerminal ? number[0] : undefined;
    syscall('close', here);
  }

  get id(): string {
    return this.note.id;
  }

  get change(): AwayNote['change'] {
    return this.note.change;
  }

  get migration(): string | undefined {
    return this.note.migration;
  }

  get known(): KnownRelay {
    const { id, home, direction } = this.note;
    return { id, home, direction, inode: this.inode, terminal: this.terminal, descriptor: this.slot.descriptor(this.end) };
  }

  /** Bytes flow from now on. */
  run(): void {
    this.write({ migration: undefined, change: undefined });
    // A description of its own: it need not wait for anybody. A master has two, so that reading and writing wait independently.
    const fd = this.slot.take(this.end);
    syscall('fcntl', fd, F_SETFL, syscall('fcntl', fd, F_GETFL) | O_NONBLOCK);
    syscall('close', fd);
    if (this.isTerminal && !this.slot.has('sink')) this.slot.open('sink', 'fcntl', this.slot.descriptor('source'), F_DUPFD_CLOEXEC, 0);
    this.attachment = new AbortController();
    this.conduit = this.options.streams.conduit({ slot: this.slot, isTerminal: this.isTerminal, over: () => undefined });
    this.conduit.start();
    this.stayAttached(this.conduit, this.attachment.signal).catch(this.options.onFault);
  }

  /** The process, which is frozen, takes it along. @returns where it stands */
  stop(migration: string): RelayState {
    this.write({ migration, change: 'stopped' });
    this.attachment.abort();
    this.conduit?.stop();
    this.conduit = undefined;
    if (this.isTerminal) this.drain();
    const { id, home, direction, epoch } = this.note;
    const { confirmed, read, written } = this.slot;
    return {
      id,
      home,
      direction,
      epoch,
      sent: { start: confirmed, bytes: Buffer.concat(this.slot.bytes(confirmed, read)) },
      received: written,
    };
  }

  /** Lets go of the home. */
  release(): void {
    this.attachment.abort();
    this.conduit?.stop();
  }

  /** Forgets it. */
  over(): void {
    this.release();
    this.slot.free();
    this.options.onOver();
  }

  private get isTerminal(): boolean {
    return this.note.direction === 'both';
  }

  private get end(): 'source' | 'sink' {
    return this.note.direction === 'from-home' ? 'sink' : 'source';
  }

  private write(change: Partial<AwayNote>): void {
    this.note = { ...this.note, ...change };
    this.slot.note = this.note;
  }

  /** What the processes have written to their terminal and nobody has read: they are frozen, so this is all. */
  private drain(): void {
    while (this.slot.has('source') && this.slot.read - this.slot.confirmed < RING_SIZE) {
      const length = this.slot.pull(RING_SIZE);
      if (length === 0 || length === -ERRNO.EAGAIN || length === -ERRNO.EIO) return;
      if (length < 0 && length !== -ERRNO.EINTR) throw new SyscallError('read', -length);
    }
  }

  /** Attaches to the home, again and again when the link is lost, while the relay is this node's. */
  private async stayAttached(conduit: Conduit, signal: AbortSignal): Promise<void> {
    const { id, home, epoch } = this.note;
    // Also when nothing is left to be said: the home must have heard of it before this end is forgotten.
    while (!signal.aborted) {
      try {
        const request = { id, epoch, written: this.slot.written };
        await this.converse(conduit, new FrameLink(await this.options.rpc.openStream(home, relayStream, request, { signal })));
      } catch (error) {
        if (signal.aborted) return;
        // What was at the other end has gone with its node.
        if (isKorriganError(error, 'KRG_NO_SUCH_STREAM') || !this.options.isLiving(home)) {
          this.over();
          return;
        }
        if (!(error instanceof KorriganError)) throw error;
      }
      if (!signal.aborted && !conduit.isOver) await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS));
    }
  }

  private async converse(conduit: Conduit, link: FrameLink): Promise<void> {
    try {
      await link.receive((frame) => {
        if (this.attachment.signal.aborted) return;
        if (frame.type !== 'message') {
          conduit.take(frame);
          return;
        }
        const message = homeMessage.parse(frame.value);
        if (message.kind === 'resume') conduit.attach(link, 0, message.written);
        else this.resize(Uint8Array.from(message.size));
      });
    } finally {
      conduit.detach();
      await link.end().catch(() => undefined);
    }
  }

  private resize(size: Uint8Array): void {
    if (!this.isTerminal || !this.slot.has('source')) return;
    const fd = this.slot.take('source');
    trySyscall('ioctl', fd, TTY.setWindowSize, size);
    syscall('close', fd);
  }
}
