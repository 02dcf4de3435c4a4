/**
 * What the kernel knows of a task and tells nobody: until when it sleeps, and what its credentials carry for security modules. Read by a
 * BPF program over the tasks of one process (BPF_TRACE_ITER, Linux 5.8; for one process 6.1), without touching them. Takes CAP_BPF and
 * CAP_PERFMON, and the kernel's type information; where one of them is missing there is no reader.
 */
import { HELPER, Instructions, loadIterator, openIterator } from './bpf.ts';
import { KernelTypes } from './kernel-types.ts';
import { NativeMemory, syscall } from './native.ts';
import { findSleeper, findTimeout, TIMER_STRUCTURES, type TimerLayout, timerLayout } from './sleep-timers.ts';
import { CREDENTIAL_STRUCTURES, landlockOffset } from './security-modules.ts';

const OUTPUT_SIZE = 4 << 20;

/** Layout of one record of output. */
const AT = {
  task: 0,
  monotonic: 8,
  boottime: 16,
  tai: 24,
  sleeps: 32,
  jiffies: 40,
  scratch: 48,
  tid: 56,
  flags: 60,
  restart: 64,
  landlockDomain: 128,
  credentials: 136,
  memoryFlags: 192,
  semaphoreUndos: 200,
  portPermissions: 208,
  segmentTable: 216,
  segments: 224,
  keyrings: 248,
  firstSemaphoreUndo: 272,
  memoryRules: 280,
  stack: 288,
} as const;
const RESTART_SIZE = 64;
const SEGMENTS_SIZE = 24;
const KEYRING = { session: 0, process: 8, thread: 16 } as const;
/** A sleeping task's stack, from where it switched away: its timer lies some 300 bytes above. */
const STACK_CHUNK = 448;
const STACK_CHUNKS = 4;
const HEAD_SIZE = AT.stack;
/** Timers of a process that are looked at: node of the list, id, overrun; the last word of the frame is for finding the way. */
const TIMERS = 18;
const TIMER = { size: 24, id: 8, overrun: 16 } as const;
const TIMERS_SIZE = TIMERS * TIMER.size;
const WAY = STACK_CHUNK - 8;
const TIMERS_AT = HEAD_SIZE + STACK_CHUNK * STACK_CHUNKS;
const RECORD_SIZE = TIMERS_AT + TIMERS_SIZE;
/** Bytes of the program's own stack; a program has 512. */
const FRAME = -STACK_CHUNK;
/** Prints the name of the function at an address, as the last part of a record. */
const NAME_FORMAT = Buffer.from('%ps\n').readInt32LE();
const NAME_FORMAT_LENGTH = 5;
const LINE_END = 10;
const UPID_SIZE = 16;

/** Nanoseconds on clocks of the host, which no time namespace has shifted. */
export interface HostClocks {
  readonly monotonic: bigint;
  readonly boottime: bigint;
  readonly tai: bigint;
}

/** What a task that was interrupted would go on with by restart_syscall(2). The kind is the caller's to know. */
export interface RestartBlock {
  readonly sleep: { readonly clock: number; readonly remainder: bigint; readonly expires: bigint };
  /** Undefined: it waits without an end. */
  readonly poll: { readonly end: bigint | undefined };
  readonly futex: { readonly end: bigint };
  /** Name of the function in the kernel that goes on with it. */
  readonly resumedBy: string;
}

export interface KernelTask {
  /** Thread id in the innermost pid namespace. */
  readonly tid: number;
  /** How often it gave the processor away of its own accord: to sleep, or to stop. */
  readonly sleeps: bigint;
  readonly now: HostClocks;
  /** Until when it sleeps, on the clock that it sleeps by; undefined when it is awake or waits without an end. */
  readonly sleepsUntil: bigint | undefined;
  /** The same for a wait that is counted in jiffies, such as that of a call on a socket with a time-out. Only for a task that is known to wait so. */
  readonly timesOut: bigint | undefined;
  readonly restart: RestartBlock;
  /** PF_* (include/linux/sched.h). */
  readonly flags: number;
  /** Address of its credentials in the kernel: threads that share them have the same user and group ids and capabilities. */
  readonly credentials: bigint;
  /** Address of the Landlock domain to which it has restricted itself, 0: none. */
  readonly landlockDomain: bigint;
  /** VM_* flags that new memory areas get (include/linux/mm.h): how mlockall(MCL_FUTURE) is kept. */
  readonly memoryFlags: bigint;
  /** Addresses in the kernel, 0 where there is none. */
  readonly keyrings: Readonly<Record<keyof typeof KEYRING, bigint>>;
  /**
   * Expirations of the process's POSIX timers, by id, since the signal that is still pending; −1 when none is. Of the newest ones only.
   */
  readonly overruns: ReadonlyMap<number, number>;
  /** What the task has that almost none has. */
  readonly oddities: readonly Oddity[];
}

/** PR_SET_MDWE, System V semaphore adjustments for its end, permissions for I/O ports, a local descriptor table, segments for thread-local data. */
export type Oddity = 'no-write-execute' | 'semaphore-undo' | 'port-permissions' | 'segment-table' | 'thread-segments';

interface Layout {
  readonly program: number;
  readonly timers: TimerLayout;
  readonly restart: Record<
    'sleepClock' | 'remainder' | 'sleepExpires' | 'pollLimited' | 'pollSeconds' | 'pollNanoseconds' | 'futexTime',
    number
  >;
}

/** Registers of the program that calls do not change. */
const TASK = 6;
const OUTPUT = 7;
const POINTER = 8;
const STACK_POINTER = 9;
const FRAME_POINTER = 10;

function assemble(types: KernelTypes): Instructions {
  const task = (path: string): number => types.offset('task_struct', path);
  const code = new Instructions();
  const probe = (to: number, length: number, base: number, offset: number): void => {
    code
      .move(1, FRAME_POINTER)
      .increase(1, FRAME + to)
      .set(2, length)
      .move(3, base)
      .increase(3, offset)
      .call(HELPER.probeReadKernel);
  };
  /** Leaves zero where this kernel has no such thing. */
  const probeOptional = (to: number, length: number, base: number, offset: number | undefined): void => {
    if (offset !== undefined) probe(to, length, base, offset);
  };
  const write = (length: number): void => {
    code.move(1, OUTPUT).move(2, FRAME_POINTER).increase(2, FRAME).set(3, length).call(HELPER.seqWrite);
  };
  const clear = (): void => {
    code.set(0, 0);
    for (let at = 0; at < STACK_CHUNK; at += 8) code.store(FRAME_POINTER, FRAME + at, 0);
  };
  const follow = (): void => void code.load(POINTER, FRAME_POINTER, FRAME + AT.scratch);
  // struct bpf_iter__task: meta, task; struct bpf_iter_meta: seq. The end of the iteration has no task.
  code.load(TASK, 1, 8).skipUnlessZero(TASK, 2).set(0, 0).exit().load(OUTPUT, 1, 0).load(OUTPUT, OUTPUT, 0);
  clear();
  code.store(FRAME_POINTER, FRAME + AT.task, TASK);
  for (const [clock, at] of [
    [HELPER.ktimeGetNs, AT.monotonic],
    [HELPER.ktimeGetBootNs, AT.boottime],
    [HELPER.ktimeGetTaiNs, AT.tai],
    [HELPER.jiffies, AT.jiffies],
  ] as const) {
    code.call(clock).store(FRAME_POINTER, FRAME + at, 0);
  }
  probe(AT.sleeps, 8, TASK, task('nvcsw'));
  probe(AT.restart, RESTART_SIZE, TASK, task('restart_block'));
  // struct pid: level, and the number in each namespace; the innermost is the last.
  probe(AT.scratch, 8, TASK, task('thread_pid'));
  follow();
  probe(AT.scratch, 4, POINTER, types.offset('pid', 'level'));
  code
    .load32(STACK_POINTER, FRAME_POINTER, FRAME + AT.scratch)
    .shiftLeft(STACK_POINTER, Math.log2(UPID_SIZE))
    .plus(POINTER, STACK_POINTER);
  probe(AT.tid, 4, POINTER, types.offset('pid', 'numbers'));
  probe(AT.flags, 4, TASK, task('flags'));
  probe(AT.scratch, 8, TASK, task('cred'));
  follow();
  code.store(FRAME_POINTER, FRAME + AT.credentials, POINTER);
  for (const [name, at] of Object.entries(KEYRING))
    probeOptional(AT.keyrings + at, 8, POINTER, types.optionalOffset('cred', `${name}_keyring`));
  const domain = landlockOffset(types);
  if (domain !== undefined) {
    probe(AT.scratch, 8, POINTER, types.offset('cred', 'security'));
    follow();
    probe(AT.landlockDomain, 8, POINTER, domain);
  }
  // Threads share a list, which is made with the first of them and almost always empty: its head leads to itself then.
  const undoList = types.optionalOffset('task_struct', 'sysvsem.undo_list');
  if (undoList !== undefined) {
    probe(AT.scratch, 8, TASK, undoList);
    follow();
    probe(AT.firstSemaphoreUndo, 8, POINTER, types.offset('sem_undo_list', 'list_proc'));
    code.increase(POINTER, types.offset('sem_undo_list', 'list_proc')).store(FRAME_POINTER, FRAME + AT.semaphoreUndos, POINTER);
  }
  probeOptional(AT.portPermissions, 8, TASK, types.optionalOffset('task_struct', 'thread.io_bitmap'));
  probe(AT.segments, SEGMENTS_SIZE, TASK, task('thread.tls_array'));
  probe(AT.scratch, 8, TASK, task('mm'));
  follow();
  probe(AT.memoryFlags, 8, POINTER, types.offset('mm_struct', 'def_flags'));
  probeOptional(AT.segmentTable, 8, POINTER, types.optionalOffset('mm_struct', 'context.ldt'));
  probe(AT.memoryRules, 8, POINTER, types.offset('mm_struct', 'flags'));
  probe(AT.scratch, 8, TASK, task('thread.sp'));
  code.load(STACK_POINTER, FRAME_POINTER, FRAME + AT.scratch);
  write(HEAD_SIZE);
  for (let chunk = 0; chunk < STACK_CHUNKS; chunk++) {
    clear(); // beyond the end of the stack nothing is read
    probe(0, STACK_CHUNK, STACK_POINTER, chunk * STACK_CHUNK);
    write(STACK_CHUNK);
  }
  clear();
  // A list with one head only since Linux 6.14; before, what timers count is not known.
  const firstTimer = types.optionalOffset('signal_struct', 'posix_timers.first');
  if (firstTimer !== undefined) {
    const walk = (base: number, offset: number): void => {
      probe(WAY, 8, base, offset);
      code.load(POINTER, FRAME_POINTER, FRAME + WAY);
    };
    const inTimer = (path: string): number => types.offset('k_itimer', path) - types.offset('k_itimer', 'list');
    walk(TASK, task('signal'));
    walk(POINTER, firstTimer);
    for (let at = 0; at < TIMERS_SIZE; at += TIMER.size) {
      code.store(FRAME_POINTER, FRAME + at, POINTER);
      probe(at + TIMER.id, 4, POINTER, inTimer('it_id'));
      probe(at + TIMER.overrun, 8, POINTER, inTimer('it_overrun'));
      walk(POINTER, 0);
    }
  }
  write(TIMERS_SIZE);
  probe(AT.restart, RESTART_SIZE, TASK, task('restart_block'));
  code.set(1, NAME_FORMAT).store(FRAME_POINTER, FRAME, 1);
  const address = FRAME + AT.restart + types.offset('restart_block', 'fn');
  code.move(1, OUTPUT).move(2, FRAME_POINTER).increase(2, FRAME).set(3, NAME_FORMAT_LENGTH);
  code.move(4, FRAME_POINTER).increase(4, address).set(5, 8).call(HELPER.seqPrintf);
  return code.set(0, 0).exit();
}

function load(): Layout {
  const types = new KernelTypes([
    'task_struct',
    'restart_block',
    ...TIMER_STRUCTURES,
    'mm_struct',
    'pid',
    'cred',
    'sem_undo_list',
    'signal_struct',
    'k_itimer',
    ...CREDENTIAL_STRUCTURES,
    'bpf_iter_task',
  ]);
  const program = loadIterator(assemble(types), types.id('bpf_iter_task'));
  const restart = (path: string): number => types.offset('restart_block', path);
  return {
    program,
    timers: timerLayout(types),
    restart: {
      sleepClock: restart('nanosleep.clockid'),
      remainder: restart('nanosleep.rmtp'),
      sleepExpires: restart('nanosleep.expires'),
      pollLimited: restart('poll.has_timeout'),
      pollSeconds: types.optionalOffset('restart_block', 'poll.tv_sec') ?? restart('poll.end_time.tv_sec'),
      pollNanoseconds: types.optionalOffset('restart_block', 'poll.tv_nsec') ?? restart('poll.end_time.tv_nsec'),
      futexTime: restart('futex.time'),
    },
  };
}

let loaded: Layout | { readonly missing: string } | undefined;
let output: NativeMemory | undefined;

/** Why tasks cannot be read on this machine, or undefined when they can. The first question takes 60 ms. */
export function whyNoKernelTasks(): string | undefined {
  if (loaded === undefined) {
    try {
      loaded = load();
    } catch (error) {
      loaded = { missing: (error as Error).message };
    }
  }
  return 'missing' in loaded ? loaded.missing : undefined;
}

/**
 * All tasks of a process, 20 us and 5 us for each task.
 * @param pid in the caller's pid namespace
 * @returns undefined when this machine does not let us read them ({@link whyNoKernelTasks})
 */
export function readKernelTasks(pid: number): KernelTask[] | undefined {
  if (whyNoKernelTasks() !== undefined || loaded === undefined || 'missing' in loaded) return undefined;
  const layout = loaded;
  output ??= NativeMemory.allocate(OUTPUT_SIZE);
  const iterator = openIterator(layout.program, pid);
  const tasks: KernelTask[] = [];
  try {
    for (let rest = 0; ; ) {
      const length = syscall('read', iterator, output.address + rest, OUTPUT_SIZE - rest);
      if (length === 0) return tasks;
      const end = rest + length;
      let at = 0;
      for (;;) {
        const nameEnd = output.bytes.subarray(0, end).indexOf(LINE_END, at + RECORD_SIZE);
        if (nameEnd < 0) break;
        const name = Buffer.from(output.bytes.subarray(at + RECORD_SIZE, nameEnd)).toString('latin1');
        tasks.push(parse(layout, new DataView(output.view.buffer, at, RECORD_SIZE), name));
        at = nameEnd + 1;
      }
      output.bytes.copyWithin(0, at, end);
      rest = end - at;
    }
  } finally {
    syscall('close', iterator);
  }
}

function readOverruns(record: DataView): Map<number, number> {
  const overruns = new Map<number, number>();
  for (let at = TIMERS_AT; at < RECORD_SIZE; at += TIMER.size) {
    if (record.getBigUint64(at, true) === 0n) break;
    overruns.set(record.getInt32(at + TIMER.id, true), Number(record.getBigInt64(at + TIMER.overrun, true)));
  }
  return overruns;
}

/** MMF_HAS_MDWE (include/linux/mm_types.h). */
const NO_WRITE_EXECUTE = 1n << 28n;

function findOddities(word: (at: number) => bigint): Oddity[] {
  const first = word(AT.firstSemaphoreUndo);
  const present: Readonly<Record<Oddity, boolean>> = {
    'no-write-execute': (word(AT.memoryRules) & NO_WRITE_EXECUTE) !== 0n,
    'semaphore-undo': first !== 0n && first !== word(AT.semaphoreUndos),
    'port-permissions': word(AT.portPermissions) !== 0n,
    'segment-table': word(AT.segmentTable) !== 0n,
    'thread-segments': [0, 8, 16].some((at) => word(AT.segments + at) !== 0n),
  };
  return (Object.keys(present) as Oddity[]).filter((oddity) => present[oddity]);
}

function parse({ timers, restart }: Layout, record: DataView, resumedBy: string): KernelTask {
  const word = (at: number): bigint => record.getBigUint64(at, true);
  const now = { monotonic: word(AT.monotonic), boottime: word(AT.boottime), tai: word(AT.tai) };
  const task = word(AT.task);
  const stack = new DataView(record.buffer, record.byteOffset + AT.stack, TIMERS_AT - AT.stack);
  const timeout = findTimeout(stack, task, timers, word(AT.jiffies));
  const field = (at: number): number => AT.restart + at;
  const limited = record.getUint32(field(restart.pollLimited), true) !== 0;
  return {
    tid: record.getInt32(AT.tid, true),
    sleeps: word(AT.sleeps),
    now,
    sleepsUntil: findSleeper(stack, task, timers),
    timesOut: timeout === undefined ? undefined : now.monotonic + timeout,
    restart: {
      resumedBy,
      sleep: {
        clock: record.getInt32(field(restart.sleepClock), true),
        remainder: word(field(restart.remainder)),
        expires: word(field(restart.sleepExpires)),
      },
      poll: { end: limited ? word(field(restart.pollSeconds)) * 1_000_000_000n + word(field(restart.pollNanoseconds)) : undefined },
      futex: { end: word(field(restart.futexTime)) },
    },
    flags: record.getUint32(AT.flags, true),
    credentials: word(AT.credentials),
    memoryFlags: word(AT.memoryFlags),
    keyrings: {
      session: word(AT.keyrings + KEYRING.session),
      process: word(AT.keyrings + KEYRING.process),
      thread: word(AT.keyrings + KEYRING.thread),
    },
    overruns: readOverruns(record),
    oddities: findOddities(word),
    landlockDomain: word(AT.landlockDomain),
  };
}
