/**
 * Conversations with the kernel as coroutines: a generator yields the system calls that it wants next and is given their results.
 * Many coroutines run together in lockstep; what all of them want next becomes one {@link Program}, so that a hundred files
 * are opened in as many round trips as one. The program runs wherever the {@link ProgramRunner} runs it: on this thread, in
 * pid 1 of a container, in a stopped process.
 */
import { SyscallError } from './errno.ts';
import { interpretLocally, RECORD_SIZE } from './interpreter.ts';
import { NativeMemory } from './native.ts';
import { Program, setWord, type Word } from './program.ts';
import type { RemoteProcess } from './remote-process.ts';
import type { StoppedThread } from './stopped-threads.ts';
import type { SystemCallName } from './system-call-numbers.ts';

/** Bytes for the kernel that hold addresses of other bytes, such as a msghdr. */
export interface Structure {
  readonly bytes: Uint8Array;
  readonly pointers: readonly { readonly offset: number; readonly to: Uint8Array | Structure }[];
}

/** Stands for the result of an earlier call of the same batch, so that what opens and what uses need one round trip. */
export interface ResultOf {
  /** Index in the batch. */
  readonly resultOf: number;
}

/** The result of the call with this index in the same batch. */
export function resultOf(index: number): ResultOf {
  return { resultOf: index };
}

/** What a call takes. Byte arrays and structures go there and come back: after the call they hold what the kernel wrote. */
export type CallArgument = Word | string | Uint8Array | Structure | ResultOf;

/** One system call of a conversation. */
export interface Call {
  readonly name: SystemCallName;
  readonly args: readonly CallArgument[];
  /** A failure is an ordinary result (the negated errno) and not an exception in the coroutine. */
  readonly mayFail: boolean;
}

/** Yields batches of calls, receives their results in the same order, returns what it found. */
export type Conversation<T> = Generator<readonly Call[], T, readonly number[]>;

/** A call that throws {@link SyscallError} into its conversation when it fails. Strings are passed NUL-terminated. */
export function call(name: SystemCallName, ...args: CallArgument[]): Call {
  return { name, args, mayFail: false };
}

/** A call whose failure is a result: the negated errno. */
export function attempt(name: SystemCallName, ...args: CallArgument[]): Call {
  return { name, args, mayFail: true };
}

/** A conversation of a single call. */
export function* one(name: SystemCallName, ...args: CallArgument[]): Conversation<number> {
  const [result = 0] = yield [call(name, ...args)];
  return result;
}

/** A place where programs run. */
export interface ProgramRunner {
  /** Address of the memory for programs. */
  readonly address: number;
  /** Bytes of it. */
  readonly size: number;
  /** Runs a program made for `address` to its end and loads the results into it. Its failures are tolerated. */
  run(program: Program): void;
}

/** How one of several conversations ended. */
export type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/**
 * Joins conversations into one that runs them in lockstep. A failing call, or any other exception, ends only its own conversation.
 * @returns their outcomes, in their order
 */
export function* settled<T>(conversations: readonly Conversation<T>[]): Conversation<Outcome<T>[]> {
  const outcomes: Outcome<T>[] = [];
  let round: { index: number; calls: readonly Call[] }[] = [];
  const advance = (index: number, step: () => IteratorResult<readonly Call[], T>): void => {
    try {
      const result = step();
      if (result.done === true) outcomes[index] = { value: result.value };
      else round.push({ index, calls: result.value });
    } catch (error) {
      outcomes[index] = { error };
    }
  };
  for (const [index, conversation] of conversations.entries()) advance(index, () => conversation.next());
  while (round.length > 0) {
    const asked = round;
    round = [];
    let earlier = 0;
    const results = yield asked.flatMap(({ calls }) => {
      const moved = calls.map((made) => ({ ...made, args: made.args.map((argument) => later(argument, earlier)), mayFail: true }));
      earlier += calls.length;
      return moved;
    });
    let start = 0;
    for (const { index, calls } of asked) {
      const own = results.slice(start, start + calls.length);
      start += calls.length;
      const conversation = conversations[index];
      const failure = firstFailure(calls, own);
      if (conversation === undefined) continue;
      advance(index, () => (failure === undefined ? conversation.next(own) : conversation.throw(failure)));
    }
  }
  return outcomes;
}

/** As {@link settled}; the first exception is thrown after all have ended. */
export function* together<T>(conversations: readonly Conversation<T>[]): Conversation<T[]> {
  return (yield* settled(conversations)).map(valueOf);
}

/**
 * Runs a conversation to its end.
 * @param observe told of every call that was made, with its result, before the conversation goes on
 */
export function converse<T>(runner: ProgramRunner, conversation: Conversation<T>, observe?: (made: Call, result: number) => void): T {
  for (let step = conversation.next(); ; ) {
    if (step.done === true) return step.value;
    const calls = step.value;
    const results = execute(runner, calls);
    if (observe !== undefined) for (const [n, made] of calls.entries()) observe(resolved(made, results), results[n] ?? 0);
    const failure = firstFailure(calls, results);
    step = failure === undefined ? conversation.next(results) : conversation.throw(failure);
  }
}

/** The value of a conversation that ended well; its exception is thrown otherwise. */
export function valueOf<T>(outcome: Outcome<T>): T {
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}

function firstFailure(calls: readonly Call[], results: readonly number[]): SyscallError | undefined {
  const failed = calls.findIndex((made, n) => !made.mayFail && isFailure(results[n] ?? 0));
  return failed < 0 ? undefined : new SyscallError(describe(calls[failed]), -(results[failed] ?? 0));
}

const isFailure = (result: number): boolean => result < 0 && result >= -4095;

function describe(made: Call | undefined): string {
  if (made === undefined) return 'call';
  const text = made.args.map((argument) =>
    typeof argument === 'object'
      ? 'resultOf' in argument
        ? `result ${argument.resultOf}`
        : '…'
      : typeof argument === 'string'
        ? JSON.stringify(argument)
        : String(argument),
  );
  return `${made.name}(${text.join(', ')})`;
}

/** Records kept free at the end of a program for the operation with which its runner ends it. */
const CLOSING_RECORDS = 2;
const ALIGNMENT = 8;

/** Runs calls in as few programs as the runner's memory allows. */
function execute(runner: ProgramRunner, calls: readonly Call[]): number[] {
  const results: number[] = [];
  let start = 0;
  while (start < calls.length) {
    let end = start;
    let data = 0;
    let records = CLOSING_RECORDS;
    for (; end < calls.length; end++) {
      const made = calls[end];
      const more = data + (made?.args.reduce((sum: number, argument) => sum + sizeOf(argument), 0) ?? 0);
      const needed = records + 1 + (made?.args.filter(isResult).length ?? 0);
      if (needed * RECORD_SIZE + more > runner.size) break;
      records = needed;
      data = more;
    }
    if (end === start) throw new RangeError(`${describe(calls[start])} does not fit the ${runner.size} bytes for programs`);
    executeOne(runner, calls.slice(start, end), { records, data }, results);
    start = end;
  }
  return results;
}

/** @param results of the batch so far; those of `calls` are appended */
function executeOne(runner: ProgramRunner, calls: readonly Call[], capacity: { records: number; data: number }, results: number[]): void {
  const program = new Program(runner.address, capacity);
  const returning: { bytes: Uint8Array; address: number }[] = [];
  const place = (bytes: Uint8Array): number => {
    const address = program.data(bytes, ALIGNMENT);
    returning.push({ bytes, address });
    return address;
  };
  const placeStructure = (structure: Structure): number => {
    const view = new DataView(structure.bytes.buffer, structure.bytes.byteOffset, structure.bytes.byteLength);
    for (const { offset, to } of structure.pointers) setWord(view, offset, to instanceof Uint8Array ? place(to) : placeStructure(to));
    return place(structure.bytes);
  };
  const first = results.length;
  const records: number[] = [];
  const encode = (argument: CallArgument): Word => {
    if (typeof argument === 'number' || typeof argument === 'bigint') return argument;
    if (typeof argument === 'string') return program.data(Buffer.from(`${argument}\0`), ALIGNMENT);
    if (isResult(argument)) return results[argument.resultOf] ?? 0; // of this program: the record before the call puts it in
    return argument instanceof Uint8Array ? place(argument) : placeStructure(argument);
  };
  for (const made of calls) {
    const forwarded = made.args.flatMap((argument, n) =>
      isResult(argument) && argument.resultOf >= first ? [{ from: argument.resultOf, n }] : [],
    );
    const record = program.length + forwarded.length;
    for (const { from, n } of forwarded) program.forwardResult(records[from - first] ?? 0, record, n);
    records.push(program.tryCall(made.name, ...made.args.map(encode)));
  }
  runner.run(program);
  for (const record of records) results.push(program.result(record));
  for (const { bytes, address } of returning) bytes.set(program.bytesAt(address, bytes.length));
}

/** The argument in a batch that has so many calls before this one's. */
function later(argument: CallArgument, calls: number): CallArgument {
  return isResult(argument) ? resultOf(argument.resultOf + calls) : argument;
}

/** The call with the results that it used. */
function resolved(made: Call, results: readonly number[]): Call {
  return { ...made, args: made.args.map((argument) => (isResult(argument) ? (results[argument.resultOf] ?? 0) : argument)) };
}

function isResult(argument: CallArgument): argument is ResultOf {
  return typeof argument === 'object' && 'resultOf' in argument;
}

function sizeOf(argument: CallArgument): number {
  if (typeof argument === 'number' || typeof argument === 'bigint' || isResult(argument)) return 0;
  if (typeof argument === 'string') return aligned(Buffer.byteLength(argument) + 1);
  if (argument instanceof Uint8Array) return aligned(argument.length);
  return aligned(argument.bytes.length) + argument.pointers.reduce((sum, { to }) => sum + sizeOf(to), 0);
}

const aligned = (length: number): number => Math.ceil(length / ALIGNMENT) * ALIGNMENT;

/** Bytes for a local program; they are touched only as far as they are used. */
const LOCAL_SIZE = 8 * 1024 * 1024;
let localRunner: ProgramRunner | undefined;

/** Runs programs on the calling thread: many system calls for the price of one crossing of the FFI. */
export function onThisThread(): ProgramRunner {
  if (localRunner === undefined) {
    const memory = NativeMemory.allocate(LOCAL_SIZE);
    localRunner = {
      address: memory.address,
      size: memory.length,
      run(program) {
        program.operation('return');
        memory.bytes.set(program.image.subarray(0, program.usedSize));
        interpretLocally(program.base);
        program.load(memory.bytes.subarray(0, program.usedSize));
      },
    };
  }
  return localRunner;
}

/** Runs programs on a thread of a stopped process that has a region for them. */
export function inProcess(remote: RemoteProcess, thread: StoppedThread = remote.main): ProgramRunner {
  const [address, end] = remote.programSpace;
  return {
    address,
    size: end - address,
    run: (program) => remote.run(program, thread),
  };
}
