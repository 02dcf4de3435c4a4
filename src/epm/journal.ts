/**
 * The journal of moves: what a daemon that comes after a killed one must know to bring each move to its end. It lies in memory of the container.
 * A state is written before anybody acts on it (hand-over.ts).
 */
import { z } from 'zod';
import { KorriganError, readStat } from '../linux/index.ts';
import type { RecordSlots } from '../container/index.ts';
import { fileLockSchema } from '../fs/index.ts';
import { keptTerminalSchema } from '../streams/index.ts';
import type { SourceState, TargetState } from './hand-over.ts';
import type { MovingPid } from './parts.ts';

const process = z.object({
  pid: z.number(),
  hostPid: z.number(),
  /** Clock ticks since boot: with the pid it names the process for ever. */
  startTime: z.number(),
});
const common = {
  migration: z.string(),
  peer: z.number(),
  /** Of the peer's container when it took part; empty before it has. Another one knows nothing of the move, because what it was about has ended. */
  peerLife: z.string(),
  cgroup: z.string().optional(),
  /** Of pid 1: terminals that stay with the husks of their leaders when the processes are not here in the end. */
  terminals: z.array(keptTerminalSchema),
};

/** Signals that travel with their processes, by the thread's (host) id or, with `thread` 0, of the process. */
const pending = z.array(z.object({ pid: z.number(), thread: z.number(), signal: z.number(), count: z.number() }));

const sourceRecord = z.object({
  role: z.literal('source'),
  ...common,
  processes: z.array(process),
  pending,
  /** Locks that were given up for the target. */
  locks: z.array(z.object({ pid: z.number(), fd: z.number(), lock: fileLockSchema })),
});
const targetRecord = z.object({
  role: z.literal('target'),
  ...common,
  /** `returning`: it was this process before, and becomes a husk again when the move is given up. */
  processes: z.array(process.extend({ returning: z.boolean() })),
  /** Of pid 1: files of the processes that are being made ready there. */
  descriptors: z.array(z.number()),
  /** Those of leaders count as the process's. */
  pending,
});
const record = z.discriminatedUnion('role', [sourceRecord, targetRecord]);

export type SourceRecord = z.infer<typeof sourceRecord>;
export type TargetRecord = z.infer<typeof targetRecord>;
export type MoveRecord = z.infer<typeof record>;

/** The state word is the place in this list, from 1. */
const STATES = {
  source: ['preparing', 'frozen', 'committed', 'done', 'aborted'],
  target: ['preparing', 'imported', 'running', 'discarded'],
} as const satisfies { source: readonly SourceState[]; target: readonly TargetState[] };

/** Where a journal lies. */
export type JournalSlots = Pick<RecordSlots, 'count' | 'isFree' | 'state' | 'setState' | 'read' | 'write' | 'clear'>;

type StateOf<R extends MoveRecord> = R extends SourceRecord ? SourceState : TargetState;

/** One move in the journal. */
export class JournalEntry<R extends MoveRecord = MoveRecord> {
  readonly slot: number;
  private readonly slots: JournalSlots;
  private content: R;

  private constructor(slots: JournalSlots, slot: number, content: R) {
    this.slots = slots;
    this.slot = slot;
    this.content = content;
  }

  static create<R extends MoveRecord>(slots: JournalSlots, slot: number, content: R): JournalEntry<R> {
    slots.setState(slot, 1);
    slots.write(slot, encode(content));
    return new JournalEntry(slots, slot, content);
  }

  /** An entry that is there. */
  static open(slots: JournalSlots, slot: number): JournalEntry {
    return new JournalEntry(slots, slot, record.parse(JSON.parse(Buffer.from(slots.read(slot)).toString())));
  }

  get record(): R {
    return this.content;
  }

  get state(): StateOf<R> {
    const state = STATES[this.content.role][this.slots.state(this.slot) - 1];
    if (state === undefined) throw new KorriganError('KRG_INTERNAL', `slot ${this.slot} of the journal holds no state`);
    return state as StateOf<R>;
  }

  /** One store: whoever dies before it has not decided, whoever dies after it has. */
  setState(state: SourceState | TargetState): void {
    this.slots.setState(this.slot, (STATES[this.content.role] as readonly string[]).indexOf(state) + 1);
  }

  update(change: Partial<R>): void {
    this.content = { ...this.content, ...change };
    this.slots.write(this.slot, encode(this.content));
  }

  /** The move is settled on this node. */
  clear(): void {
    this.slots.clear(this.slot);
  }
}

function encode(content: MoveRecord): Uint8Array {
  return Buffer.from(JSON.stringify(content));
}

/** Adds what names a process for ever. @throws KorriganError KRG_NO_SUCH_PROCESS when it has ended */
export function identify(moving: MovingPid): z.infer<typeof process> {
  const stat = readStat(moving.hostPid);
  if (stat === undefined) throw new KorriganError('KRG_NO_SUCH_PROCESS', `process ${moving.pid} has ended`);
  return { ...moving, startTime: stat.startTime };
}

/** For a process of which the target knows only the pid yet: what is there of it has not been touched. */
export function unnamed(pid: number): z.infer<typeof process> {
  return { pid, hostPid: 0, startTime: 0 };
}

export function isNamed({ hostPid }: z.infer<typeof process>): boolean {
  return hostPid !== 0;
}

/** Whether the process that a record names still lives. */
export function isAlive({ hostPid, startTime }: z.infer<typeof process>): boolean {
  const stat = readStat(hostPid);
  return stat !== undefined && stat.startTime === startTime && !(stat.state === 'Z' && stat.threads <= 1) && stat.state !== 'X';
}
