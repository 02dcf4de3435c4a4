/** Judges the histories of all things of a run: locks and semaphores by their specifications, the others by what must be true of them. */
import { linearize, type Operation, type Specification } from './linearize.ts';
import { PARTIES } from './sync-scenario.ts';
import type { Record, SyncRecorder } from './sync-recorder.ts';
import {
  FREE_LOCK,
  lockSpecification,
  type LockOperation,
  NO_SEMAPHORE,
  semaphoreSpecification,
  type SemaphoreOperation,
} from './sync-specifications.ts';

/** As long as a node tries to withdraw a claim before it tells its client anyway. */
export const GRACE_MS = 2000;

export interface Judgement {
  readonly violation: string | undefined;
  readonly undecided: number;
  readonly histories: number;
}

export function judge(recorder: SyncRecorder): Judgement {
  const keys = new Set(recorder.records.flatMap(({ key, of }) => (of === undefined ? [key] : [key, of.key])));
  let [undecided, histories] = [0, 0];
  for (const key of keys) {
    if (recorder.isLost(key)) continue;
    histories++;
    const records = recorder.records.filter((each) => each.key === key || (each.request.kind === 'wait' && each.of?.key === key));
    const found = judgeOne(key, records);
    if (found === 'undecided') undecided++;
    else if (found !== undefined) return { violation: found, undecided, histories };
  }
  return { violation: undefined, undecided, histories };
}

function judgeOne(key: string, records: readonly Record[]): string | undefined {
  const kind = key.split('/', 1)[0];
  switch (kind) {
    case 'lock':
      return verdict(key, records.flatMap(lockOperations(records, key)), FREE_LOCK, lockSpecification);
    case 'semaphore':
      return verdict(key, records.flatMap(semaphoreOperations(records)), NO_SEMAPHORE, semaphoreSpecification);
    case 'barrier':
      return judgeBarrier(key, records);
    case 'condition':
      return judgeCondition(key, records);
    case 'counter':
      return judgeCounter(key, records);
    default:
      return undefined;
  }
}

function verdict<State, Op extends Operation>(
  key: string,
  operations: readonly Op[],
  initial: State,
  specification: Specification<State, Op>,
): string | undefined {
  const found = linearize(operations, initial, specification);
  if (found.kind === 'linearizable') return undefined;
  if (found.kind === 'undecided') return 'undecided';
  const blocked = found.blocked.map((operation) => JSON.stringify(operation)).join(' ');
  return `${key} is not linearizable: after ${found.done} of ${operations.length} operations none of these is possible: ${blocked}`;
}

function interval({ start, end, death }: Record): Operation {
  const isOptional = end === undefined || death?.cause === 'drain';
  return { startMs: start, endMs: end ?? Infinity, isOptional: isOptional && end === undefined };
}

/** Others who could have stood before it in the queue. */
function hadRival(record: Record, records: readonly Record[]): boolean {
  return records.some((other) => {
    const { kind } = other.request;
    const isWaiting = (kind === 'acquire' || kind === 'take') && 'timeoutMs' in other.request && other.request.timeoutMs !== 0;
    return other !== record && isWaiting && other.start < (record.end ?? Infinity) && (other.end ?? Infinity) > record.start;
  });
}

function isTooLate({ request, startMs, endMs, reply }: Record): boolean {
  return reply?.kind === 'timed-out' && 'timeoutMs' in request && endMs - startMs >= (request.timeoutMs ?? 0) + GRACE_MS;
}

/** It may have been had for a while though the client was never told. */
function maybeHad(record: Record): boolean {
  return record.end === undefined || record.reply?.kind === 'leaving' || record.reply?.kind === 'cancelled' || isTooLate(record);
}

const LATER = { endMs: Infinity, isOptional: true } as const;

function lockOperations(records: readonly Record[], key: string): (record: Record) => LockOperation[] {
  return (record) => {
    const { request, reply, number, of } = record;
    const when = interval(record);
    switch (request.kind) {
      case 'acquire':
        return acquisition(record, records, request.mode, number);
      case 'release':
      case 'repair':
        return of === undefined || reply?.kind === 'not-held' ? [] : [{ ...when, kind: request.kind, of: of.number }];
      case 'wait':
        if (of?.key !== key) return [];
        return [
          // It is certain that it was given up when the wait is over.
          { ...when, isOptional: record.end === undefined || reply?.kind === 'leaving', kind: 'release', of: of.number },
          ...(reply?.kind === 'leaving' ? [{ ...LATER, startMs: record.start, kind: 'death', of: of.number, marks: 'yes' } as const] : []),
          ...acquisition(record, records, 'exclusive', number),
        ];
      case 'remove':
        return reply === undefined || reply.kind === 'done' ? [{ ...when, kind: 'removed' }] : [];
      default:
        return [];
    }
  };
}

function acquisition(record: Record, records: readonly Record[], mode: 'shared' | 'exclusive', number: number): LockOperation[] {
  const { reply, death, start } = record;
  const when = interval(record);
  switch (reply?.kind) {
    case 'granted':
    case 'signalled':
    case 'not-signalled': {
      const told = { token: reply.token, ownerDied: reply.ownerDied };
      const acquired: LockOperation = { ...when, kind: 'acquire', number, mode, told, place: reply.token };
      return death === undefined ? [acquired] : [acquired, { ...LATER, startMs: death.at, kind: 'death', of: number, marks: 'yes' }];
    }
    case 'busy':
      return [{ ...when, kind: 'busy', mode, hadRival: hadRival(record, records) }];
    case 'not-recoverable':
      return record.request.kind === 'wait' ? [] : [{ ...when, kind: 'not-recoverable' }];
    default:
      if (!maybeHad(record)) return [];
      return [
        { ...LATER, startMs: start, kind: 'acquire', number, mode, told: undefined },
        { ...LATER, startMs: start, kind: 'death', of: number, marks: 'maybe' },
      ];
  }
}

function semaphoreOperations(records: readonly Record[]): (record: Record) => SemaphoreOperation[] {
  return (record) => {
    const { request, reply, number, of, death, start } = record;
    const when = interval(record);
    switch (request.kind) {
      case 'create-semaphore':
        return [{ ...when, kind: 'create', value: request.value }];
      case 'post':
        return [{ ...when, kind: 'post', count: request.count }];
      case 'give-back':
        return of === undefined ? [] : [{ ...when, kind: 'give-back', of: of.number }];
      case 'take': {
        const { count, undo } = request;
        if (reply?.kind === 'busy') return [{ ...when, kind: 'busy', count, hadRival: hadRival(record, records) }];
        if (reply?.kind === 'granted') {
          const taken: SemaphoreOperation = { ...when, kind: 'take', number, count };
          return undo && death !== undefined ? [taken, { ...LATER, startMs: death.at, kind: 'give-back', of: number }] : [taken];
        }
        if (!maybeHad(record)) return [];
        return [
          { ...LATER, startMs: start, kind: 'take', number, count },
          { ...LATER, startMs: start, kind: 'give-back', of: number },
        ];
      }
      default:
        return [];
    }
  };
}

/** At the moment of the last who comes, all who pass have come. */
function judgeBarrier(key: string, records: readonly Record[]): string | undefined {
  const arrivals = records.filter(({ request }) => request.kind === 'arrive');
  const passed = arrivals.filter(({ reply }) => reply?.kind === 'passed');
  const serial = passed.filter(({ reply }) => reply?.kind === 'passed' && reply.isSerial);
  for (const last of serial) {
    const isThere = (each: Record): boolean => each.start < (last.end ?? Infinity) && (each.end ?? Infinity) > last.start;
    const there = arrivals.filter((each) => isThere(each) && (each.reply?.kind === 'passed' || maybeHad(each)));
    if (there.length < PARTIES) return `${key} opened for program ${last.client} with ${there.length} of ${PARTIES}`;
  }
  const unheard = arrivals.filter(maybeHad).length;
  if (passed.length > PARTIES * (serial.length + unheard)) return `${key} let ${passed.length} pass in ${serial.length} openings`;
  if (unheard === 0 && passed.length !== PARTIES * serial.length) return `${key} let ${passed.length} pass in ${serial.length} openings`;
  return undefined;
}

/** Who was woken was woken by a signal that came while it waited. */
function judgeCondition(key: string, records: readonly Record[]): string | undefined {
  const signals = records.filter(({ request }) => request.kind === 'signal');
  const woken = records.filter(({ request, reply }) => request.kind === 'wait' && reply?.kind === 'signalled');
  const signalled = signals.reduce((sum, { request }) => sum + (request.kind === 'signal' ? request.count : 0), 0);
  if (woken.length > signalled) return `${key} woke ${woken.length} for ${signalled} signals`;
  // What one who died did not hear any more goes to another one.
  const unheard = records.filter((each) => each.request.kind === 'wait' && maybeHad(each));
  const overlap = (one: Record, other: Record): boolean => one.start < (other.end ?? Infinity) && (one.end ?? Infinity) > other.start;
  for (const each of woken) {
    const isReal =
      signals.some((one) => one.reply?.kind !== 'leaving' && overlap(one, each)) ||
      unheard.some((other) => other.start < (each.end ?? Infinity) && signals.some((one) => overlap(one, other)));
    if (!isReal) return `${key} woke program ${each.client} without a signal`;
  }
  return undefined;
}

function judgeCounter(key: string, records: readonly Record[]): string | undefined {
  const given = new Map<number, Record>();
  for (const record of records) {
    const { request, reply } = record;
    if (request.kind !== 'reserve' || reply?.kind !== 'done') continue;
    for (let number = reply.value ?? 0; number < (reply.value ?? 0) + request.count; number++) {
      const other = given.get(number);
      if (other !== undefined) return `${key} gave ${number} to program ${other.client} and to program ${record.client}`;
      given.set(number, record);
    }
  }
  return undefined;
}
