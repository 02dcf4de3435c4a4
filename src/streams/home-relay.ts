/** The end of a relayed stream at its home: what the process has left behind is read and written in its place. */
import { constants } from 'node:fs';
import { ERRNO, KorriganError, syscall, TERMINAL, TTY, trySyscall } from '../linux/index.ts';
import type { NodeId } from '../rpc/index.ts';
import type { Conduit } from './conduit.ts';
import { type ByteLink, FrameLink } from './frame-link.ts';
import type { HomeMessage, HomeNote, RelayState } from './relay-protocol.ts';
import type { StreamSlot } from './slot.ts';
import type { Streams } from './streams.ts';

/** TIOCSTI: as if it had been typed. */
const TYPE_BYTE = 0x5412;
/** How often the terminal is asked for its size. */
const SIZE_MILLISECONDS = 200;
const CLOSE_ON_EXEC = 0o2000000;
/** struct termios2: c_iflag, c_oflag, c_cflag, c_lflag, c_line, c_cc. */
const LOCAL_FLAGS = 12;
const [TIME, MINIMUM] = [17 + 5, 17 + 6];

/** As cfmakeraw(3), but for the character size. */
function rawAttributes(attributes: Uint8Array): Uint8Array {
  const raw = attributes.slice();
  raw.fill(0, 0, 8);
  raw.fill(0, LOCAL_FLAGS, LOCAL_FLAGS + 4);
  raw[TIME] = 0;
  raw[MINIMUM] = 1;
  return raw;
}

export class HomeRelay {
  readonly slot: StreamSlot;
  private readonly streams: Streams;
  private readonly onOver: () => void;
  private note: HomeNote;
  private conduit: Conduit | undefined;
  private started = Promise.withResolvers<void>();
  private link: FrameLink | undefined;
  private sizeWatch: NodeJS.Timeout | undefined;
  private lastSize = '';

  /** @param slot with the process's own description as `original` */
  constructor(streams: Streams, slot: StreamSlot, note: HomeNote, onOver: () => void) {
    this.streams = streams;
    this.slot = slot;
    this.note = note;
    this.onOver = onOver;
  }

  get id(): string {
    return this.note.id;
  }

  get epoch(): number {
    return this.note.epoch;
  }

  /** What a migration that is not decided has done to it. */
  get change(): HomeNote['change'] {
    return this.note.change;
  }

  get migration(): string | undefined {
    return this.note.migration;
  }

  /** Descriptor of pid 1 of what the process had. */
  get original(): number {
    return this.slot.descriptor('original');
  }

  /** Bytes flow from now on. At home a terminal only passes bytes on: it is the process's that echoes, edits lines and makes signals of them. */
  start(): void {
    this.write({ migration: undefined, change: undefined });
    this.open();
    if (this.isTerminal) this.makeRaw();
    this.conduit = this.streams.conduit({ slot: this.slot, isTerminal: this.isTerminal, over: () => this.over() });
    if (this.isTerminal) this.sizeWatch = setInterval(() => this.tellSize(), SIZE_MILLISECONDS).unref();
    this.conduit.start();
    this.started.resolve();
  }

  /** Where the process is, as far as this node has heard. */
  get place(): NodeId | undefined {
    return this.note.place;
  }

  /** The process runs there now. */
  left(place: NodeId): void {
    this.write({ place });
    this.start();
  }

  /** Lets go of the other node. */
  stop(): void {
    if (this.conduit === undefined) return;
    clearInterval(this.sizeWatch);
    this.link?.abort(new KorriganError('KRG_CANCELLED', 'the relay was stopped'));
    this.conduit.stop();
    this.conduit = undefined;
    this.started = Promise.withResolvers<void>();
  }

  /** Serves the node of the process, `place`, until the link or the relay is over. @param written position up to which that node has written */
  async converse(connection: ByteLink, place: NodeId, epoch: number, written: number): Promise<void> {
    await this.started.promise;
    const { conduit } = this;
    if (conduit === undefined || epoch < this.note.epoch) throw new KorriganError('KRG_PROCESS_BUSY', 'the stream is on its way');
    if (epoch !== this.note.epoch || place !== this.note.place) this.write({ epoch, place });
    this.link?.abort(new KorriganError('KRG_CANCELLED', 'the relay was attached anew'));
    const link = new FrameLink(connection);
    this.link = link;
    this.tell({ kind: 'resume', written: this.slot.written });
    this.lastSize = '';
    this.tellSize();
    try {
      conduit.attach(link, 0, written);
      await link.receive((frame) => {
        if (this.link === link && frame.type !== 'message') conduit.take(frame);
      });
    } finally {
      if (this.link === link) {
        this.link = undefined;
        conduit.detach();
      }
    }
  }

  /**
   * The process is being restored at its home. What is under way towards the staying end is brought there.
   * @param waiting bytes that the process has not read yet
   * @returns whether nothing stands between the original end and the process any more
   */
  comeHome(migration: string, state: RelayState, waiting: number): boolean {
    this.stop();
    const isThrough = this.note.direction === 'from-home' ? this.slot.read === state.received && waiting === 0 : this.bringHome(state.sent);
    if (!isThrough) {
      this.start();
      return false;
    }
    this.slot.confirmed = state.received;
    this.write({ migration, change: 'returning' });
    return true;
  }

  /** The process has its original end back. */
  returned(): void {
    // What was typed and has not reached the process.
    if (this.isTerminal) this.slot.typeUnconfirmed('original', TYPE_BYTE);
    this.over();
  }

  /** Forgets it. */
  over(): void {
    this.stop();
    this.slot.free();
    this.onOver();
  }

  private get isTerminal(): boolean {
    return this.note.direction === 'both';
  }

  private write(change: Partial<HomeNote>): void {
    this.note = { ...this.note, ...change };
    this.slot.note = this.note;
  }

  private open(): void {
    const { O_RDONLY, O_WRONLY, O_RDWR, O_NONBLOCK, O_NOCTTY } = constants;
    const flags = O_NONBLOCK | O_NOCTTY | CLOSE_ON_EXEC;
    if (this.note.direction !== 'to-home' && !this.slot.has('source'))
      this.slot.openAnew('source', flags | (this.isTerminal ? O_RDWR : O_RDONLY));
    if (this.note.direction !== 'from-home' && !this.slot.has('sink'))
      this.slot.openAnew('sink', flags | (this.isTerminal ? O_RDWR : O_WRONLY));
  }

  /** Writes what the home does not have yet. @returns whether the pipe has taken all of it */
  private bringHome({ start, bytes }: RelayState['sent']): boolean {
    this.open();
    const end = start + bytes.length;
    // Without a sink nobody reads it: the process will see that by itself.
    while (this.slot.has('sink') && this.slot.written < end) {
      const from = this.slot.written;
      this.slot.stage(from, bytes.subarray(from - start));
      const length = this.slot.push(end);
      if (length === -ERRNO.EAGAIN) return false;
      if (length < 0 && length !== -ERRNO.EINTR) break;
    }
    return true;
  }

  private makeRaw(): void {
    const fd = this.slot.take('source');
    const attributes = new Uint8Array(TERMINAL.attributesSize);
    trySyscall('ioctl', fd, TERMINAL.getAttributes, attributes);
    trySyscall('ioctl', fd, TERMINAL.setAttributes, rawAttributes(attributes));
    syscall('close', fd);
  }

  private tellSize(): void {
    if (!this.isTerminal || this.link === undefined || !this.slot.has('source')) return;
    const fd = this.slot.take('source');
    const size = new Uint8Array(TERMINAL.windowSize);
    trySyscall('ioctl', fd, TTY.getWindowSize, size);
    syscall('close', fd);
    if (this.lastSize === size.join()) return;
    this.lastSize = size.join();
    this.tell({ kind: 'size', size: [...size] });
  }

  private tell(message: HomeMessage): void {
    this.link?.send({ type: 'message', value: message });
  }
}
