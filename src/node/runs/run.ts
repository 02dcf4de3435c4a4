/** A program that runs attached to its user: its streams, how it ended, and the connection to the user while there is one. */
import { z } from 'zod';
import { KorriganError } from '../../linux/errors.ts';
import type { Conduit, FrameLink, Streams, StreamSlot } from '../../streams/index.ts';
import { NODE_PATIENCE_MILLISECONDS, type NodeMessage } from '../api/run-protocol.ts';
import { parseRequest } from '../api/schemas.ts';
import type { ExitStatus } from '../api/types.ts';
import type { Endings } from '../endings.ts';
import { resizeTerminal } from './program-streams.ts';

/** What the slot of the first stream says of the run. */
export const runNote = z.object({
  kind: z.literal('run'),
  id: z.uuid(),
  /** Who started it. */
  uid: z.int(),
  /** Sequence number that no ending had reached before it was launched. */
  mark: z.int(),
  isTerminal: z.boolean(),
  /** Nobody but who has started it wants to know of it. */
  isDetached: z.boolean(),
  /** Slots of the streams; the first is this one. */
  streams: z.array(z.int()).min(1),
  status: z
    .discriminatedUnion('kind', [
      z.object({ kind: z.literal('exited'), code: z.int() }),
      z.object({ kind: z.literal('signalled'), signal: z.int(), coreDumped: z.boolean() }),
    ])
    .optional(),
});
export type RunNote = z.infer<typeof runNote>;

/** What the user's side may say once it is attached. */
const userMessage = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('signal'), signal: z.int().min(1).max(64), count: z.int().min(1) }),
  z.object({ kind: z.literal('resize'), columns: z.int().min(1).max(65_535), rows: z.int().min(1).max(65_535) }),
  z.object({ kind: z.literal('done') }),
]);

/** Numbers of the first slot: the pid, noted by pid 1 as it launches the program, and how many signals were delivered. */
export const PID = 0;
const SIGNALS = 1;
const SIGHUP = 1;
/** What a program wrote to its terminal just before its end arrives at the master a little later (a work queue of the kernel). */
const SETTLE_MILLISECONDS = 100;

export interface RunOptions {
  readonly streams: Streams;
  readonly slots: readonly StreamSlot[];
  readonly endings: Endings;
  /** Name of this node. */
  readonly node: string;
  readonly onFault: (error: unknown) => void;
  /** Nothing of it is left. */
  readonly onForgotten: () => void;
}

export class Run {
  readonly uid: number;
  readonly pid: number;
  private readonly options: RunOptions;
  private readonly slot: StreamSlot;
  private readonly conduits: readonly Conduit[];
  private readonly isTerminal: boolean;
  private readonly isDetached: boolean;
  private link: FrameLink | undefined;
  private status: ExitStatus | undefined;
  private patience: NodeJS.Timeout | undefined;
  private isForgotten = false;

  /** @param options.slots with the program launched: the number {@link PID} of the first is its pid */
  constructor(options: RunOptions) {
    const [slot] = options.slots;
    if (slot === undefined) throw new RangeError('a run without streams');
    const note = runNote.parse(slot.note);
    this.options = options;
    this.slot = slot;
    this.uid = note.uid;
    this.pid = slot.number(PID);
    this.isTerminal = note.isTerminal;
    this.isDetached = note.isDetached;
    this.conduits = options.slots.map((each) =>
      options.streams.conduit({ slot: each, isTerminal: note.isTerminal, over: () => undefined }),
    );
    // Without the program's ends here its own are the last ones.
    for (const each of options.slots) each.close('programInput', 'programOutput');
    for (const conduit of this.conduits) conduit.start();
    if (!note.isDetached) this.awaitEnd(note).catch(options.onFault);
    this.waitForUser();
  }

  /** Serves a connection of the user until it ends. An earlier one is dropped. @param received per stream, what the user has */
  async converse(link: FrameLink, received: readonly number[]): Promise<void> {
    this.link?.abort(new KorriganError('KRG_CANCELLED', 'the user has attached anew'));
    clearTimeout(this.patience);
    this.link = link;
    const written = this.conduits.map(({ slot }) => slot.written);
    const process = { pid: this.pid, node: this.options.node };
    this.tell({ kind: 'attached', process, written, signals: this.slot.number(SIGNALS) });
    let isLost = false;
    try {
      for (const [channel, conduit] of this.conduits.entries()) conduit.attach(link, channel, received[channel] ?? 0);
      this.tellExit();
      await link.receive((frame) => {
        if (frame.type === 'message') this.obey(parseRequest(userMessage, frame.value));
        else this.conduits[frame.channel]?.take(frame);
      });
    } catch (error) {
      isLost = true;
      if (!(error instanceof KorriganError)) throw error;
      if (error.code === 'KRG_BAD_REQUEST') this.tell({ kind: 'error', error: error.toJSON() });
    } finally {
      if (this.link === link) {
        this.link = undefined;
        for (const conduit of this.conduits) conduit.detach();
        // A connection that its user has ended is a line that was cut; one that a node has lost may come back.
        if (!isLost && !this.isDetached) this.hangUp();
        else this.waitForUser();
      }
    }
  }

  /** Leaves everything to the next daemon. */
  stop(): void {
    clearTimeout(this.patience);
    this.isForgotten = true;
    for (const conduit of this.conduits) conduit.stop();
  }

  private obey(message: z.infer<typeof userMessage>): void {
    if (message.kind === 'done') this.forget();
    else if (message.kind === 'resize') resizeTerminal(this.slot, message);
    else if (message.count > this.slot.number(SIGNALS)) this.slot.signalGroup(this.pid, message.signal, SIGNALS, message.count);
  }

  private tell(message: NodeMessage): void {
    this.link?.send({ type: 'message', value: message });
  }

  private tellExit(): void {
    if (this.status !== undefined) this.tell({ kind: 'exit', status: this.status });
  }

  /** The program has ended when its process has, and everything that it wrote was read. */
  private async awaitEnd(note: RunNote): Promise<void> {
    const [first, ...others] = this.conduits;
    let status = note.status;
    if (status === undefined) {
      const { ending } = await this.options.endings.of(this.pid, note.mark);
      status =
        ending.kind === 'exited'
          ? { kind: 'exited', code: ending.status }
          : { kind: 'signalled', signal: ending.signal, coreDumped: ending.coreDumped };
      if (this.isForgotten) return;
      this.slot.note = { ...note, status };
    }
    if (this.isTerminal) setTimeout(() => first?.endWhenEmpty(), SETTLE_MILLISECONDS);
    await Promise.all((this.isTerminal ? this.conduits : others).map(({ sourceOver }) => sourceOver));
    this.status = status;
    this.tellExit();
  }

  private waitForUser(): void {
    if (this.isForgotten) return;
    clearTimeout(this.patience);
    this.patience = setTimeout(() => this.hangUp(), NODE_PATIENCE_MILLISECONDS).unref();
  }

  private hangUp(): void {
    if (this.isForgotten) return;
    if (this.status === undefined && !this.isDetached) this.slot.signalGroup(this.pid, SIGHUP, SIGNALS, this.slot.number(SIGNALS));
    this.forget();
  }

  private forget(): void {
    if (this.isForgotten) return;
    this.stop();
    for (const { slot } of this.conduits.toReversed()) slot.free();
    this.options.onForgotten();
  }
}
