/** The programs that run on this node attached to a user, who may be connected to another node. They outlive the daemon. */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Capabilities } from '../../capability/index.ts';
import type { Credentials } from '../../container/index.ts';
import { KorriganError, toKorriganError } from '../../linux/errors.ts';
import { type ByteLink, FrameLink, type Streams, type StreamSlot } from '../../streams/index.ts';
import { parseRequest, runRequest, type RunRequest } from '../api/schemas.ts';
import type { StartedProcess } from '../api/types.ts';
import type { Endings } from '../endings.ts';
import { launch, NO_STREAMS } from './launch.ts';
import { openPipes, openTerminal } from './program-streams.ts';
import { PID, Run, runNote, type RunNote } from './run.ts';

export interface RunServiceOptions {
  readonly streams: Streams;
  readonly capabilities: Capabilities;
  readonly endings: Endings;
  /** Name of this node. */
  readonly node: string;
  /** Resolves when programs may be started. */
  readonly ready: Promise<void>;
  /** @throws KorriganError when nothing new starts on this node */
  readonly checkTakesNew: () => void;
  readonly onFault: (error: unknown) => void;
}

/** How long a program waits until its node may start it. */
const READY_MILLISECONDS = 10_000;

/** A slot that belongs to the run whose first slot names it. */
const partNote = z.object({ kind: z.literal('part-of-run') });

const attachMessage = z.object({
  kind: z.literal('attach'),
  run: z.uuid(),
  node: z.string().optional(),
  request: z.unknown().optional(),
  detached: z.literal(true).optional(),
  received: z.array(z.int().min(0)).max(3),
});

export class RunService {
  private readonly options: RunServiceOptions;
  private readonly runs = new Map<string, Run>();
  private readonly starting = new Map<string, Promise<Run>>();

  constructor(options: RunServiceOptions) {
    this.options = options;
    this.recover();
  }

  /** Starts a program with /dev/null as its streams, for who does not ask twice. */
  async detached(who: Credentials, request: RunRequest): Promise<StartedProcess> {
    const { streams, capabilities, node, checkTakesNew } = this.options;
    await this.mayStart();
    checkTakesNew();
    return { pid: await launch(streams.container, { who, request, node, streams: NO_STREAMS, initial: capabilities.initial }), node };
  }

  /** Serves one connection of a user to its end. What fails is told to the user. */
  async serve(who: Credentials, connection: ByteLink): Promise<void> {
    const link = new FrameLink(connection);
    let run: Run;
    let received: readonly number[];
    try {
      const first = await link.first();
      const attach = parseRequest(attachMessage, first?.type === 'message' ? first.value : undefined);
      ({ received } = attach);
      run = await this.find(who, attach);
    } catch (error) {
      if (!(error instanceof KorriganError)) this.options.onFault(error);
      link.send({ type: 'message', value: { kind: 'error', error: toKorriganError(error).toJSON() } });
      await link.end();
      return;
    }
    await run.converse(link, received);
    await link.end();
  }

  /** Leaves the programs to the next daemon. */
  stop(): void {
    for (const run of this.runs.values()) run.stop();
  }

  private async find(who: Credentials, { run: id, request, detached }: z.infer<typeof attachMessage>): Promise<Run> {
    // Nothing may come between the question and the answer: of two connections one would start it a second time.
    const starts = this.starting.get(id);
    const known = this.runs.get(id) ?? (starts === undefined ? undefined : await starts);
    if (known !== undefined) {
      if (who.uid !== 0 && who.uid !== known.uid) throw new KorriganError('KRG_PERMISSION', 'this program was started by another user');
      return known;
    }
    if (request === undefined)
      throw new KorriganError(
        'KRG_NO_SUCH_STREAM',
        'the program has lost its user: nobody came for it in time, or its node was started anew',
      );
    const starting = this.start(who, id, parseRequest(runRequest, request), detached === true);
    this.starting.set(id, starting);
    try {
      return await starting;
    } finally {
      this.starting.delete(id);
    }
  }

  private async start(who: Credentials, id: string, request: RunRequest, isDetached: boolean): Promise<Run> {
    const { streams, capabilities, endings, node, checkTakesNew } = this.options;
    await this.mayStart();
    checkTakesNew();
    const isTerminal = request.terminal !== undefined && !isDetached;
    const slots: StreamSlot[] = [];
    try {
      slots.push(streams.allocate({ kind: 'part-of-run' }));
      const [first] = slots;
      if (first === undefined) throw new RangeError('nothing was allocated');
      if (!isTerminal && !isDetached) slots.push(streams.allocate({ kind: 'part-of-run' }), streams.allocate({ kind: 'part-of-run' }));
      const indices = slots.map(({ index }) => index);
      const note: RunNote = { kind: 'run', id, uid: who.uid, mark: endings.mark, isTerminal, isDetached, streams: indices };
      first.note = note;
      let forProgram = NO_STREAMS;
      if (isTerminal && request.terminal !== undefined) forProgram = openTerminal(streams, first, who.uid, request.terminal);
      else if (!isDetached) forProgram = openPipes(slots as [StreamSlot, StreamSlot, StreamSlot]);
      const pidNote = { address: first.addressOfNumber(PID), clear: () => first.setNumber(PID, 0) };
      await launch(streams.container, { who, request, node, streams: forProgram, initial: capabilities.initial, note: pidNote });
    } catch (error) {
      for (const slot of slots.toReversed()) slot.free();
      throw error;
    }
    return this.add(id, slots);
  }

  private async mayStart(): Promise<void> {
    const tooLate = Symbol('too late');
    if ((await Promise.race([this.options.ready, delay(READY_MILLISECONDS, tooLate, { ref: false })])) !== tooLate) return;
    throw new KorriganError(
      'KRG_NO_MAJORITY',
      `${this.options.node} has just been started and waits until enough nodes of the cluster answer; no program is started on it before`,
    );
  }

  private add(id: string, slots: readonly StreamSlot[]): Run {
    const run = new Run({ ...this.options, slots, onForgotten: () => this.runs.delete(id) });
    this.runs.set(id, run);
    return run;
  }

  /** What an earlier daemon left. A program that was about to be launched was not: its user asks again. */
  private recover(): void {
    const used = new Map(this.options.streams.used().map((slot) => [slot.index, slot]));
    const kept = new Set<number>();
    for (const slot of used.values()) {
      const { data: note } = runNote.safeParse(slot.note);
      if (note === undefined || slot.number(PID) <= 0) continue;
      const slots = note.streams.flatMap((index) => used.get(index) ?? []);
      for (const { index } of slots) kept.add(index);
      this.add(note.id, slots);
    }
    for (const slot of used.values()) {
      const isOurs = runNote.safeParse(slot.note).success || partNote.safeParse(slot.note).success;
      if (isOurs && !kept.has(slot.index)) slot.free();
    }
  }
}
