/**
 * What the kernel knows of a task and tells nobody: until when it sleeps, and what its credentials carry for security modules. Read by a
 * BPF program over the tasks of one process (BPF_TRACE_ITER, Linux 5.8; for one process 6.1), without touching them. Takes CAP_BPF and
 * CAP_PERFMON, and the kernel's type information; where one of them is missing there is no reader.
 */
import { SyscallError } from './errno.ts';
import { KernelTypes } from './kernel-types.ts';
import { NativeMemory, syscall, trySyscall } from './native.ts';

const BPF_PROG_LOAD = 5;
const BPF_LINK_CREATE = 28;
const BPF_ITER_CREATE = 33;
const BPF_PROG_TYPE_TRACING = 26;
const BPF_TRACE_ITER = 28;
/** Functions that BPF programs may call (include/uapi/linux/bpf.h). */
const CALL = { ktimeGetNs: 5, probeReadKernel: 113, ktimeGetBootNs: 125, seqPrintf: 126, seqWrite: 127, ktimeGetTaiNs: 208 } as const;

const ATTRIBUTES_SIZE = 128;
const LINK_INFORMATION_SIZE = 16;
const OUTPUT_SIZE = 4 << 20;

/** Layout of one record of output. */
const AT = {
  task: 0,
  monotonic: 8,
  boottime: 16,
  tai: 24,
  sleeps: 32,
  scratch: 48,
  tid: 56,
  restart: 64,
  security: 128,
  stack: 192,
} as const;
const RESTART_SIZE = 64;
const SECURITY_SIZE = 64;
/** A sleeping task's stack, from where it switched away: its timer lies some 300 bytes above. */
const STACK_CHUNK = 448;
const STACK_CHUNKS = 4;
const HEAD_SIZE = AT.stack;
const RECORD_SIZE = HEAD_SIZE + STACK_CHUNK * STACK_CHUNKS;
/** Bytes of the program's own stack; a program has 512. */
const FRAME = -STACK_CHUNK;
/** Prints the name of the function at an address, as the last part of a record. */
const NAME_FORMAT = Buffer.from('%ps\n').readInt32LE();
const NAME_FORMAT_LENGTH = 5;
const LINE_END = 10;
const UPID_SIZE = 16;

const KERNEL_ADDRESSES = 0xffff_8000_0000_0000n;
const KERNEL_CODE = 0xffff_ffff_8000_0000n;
/** The kernel allows itself to be late by this at most (fs/select.c, MAX_SLACK), nanoseconds. */
const LARGEST_SLACK = 100_000_000n;
/** HRTIMER_STATE_ENQUEUED or the flag that replaced it. */
const QUEUED = 1;

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
  readonly restart: RestartBlock;
  /** What security modules keep with its credentials, as far as it is shown here. */
  readonly security: BigUint64Array;
}

interface Layout {
  readonly program: number;
  readonly sleeper: { task: number; expires: number; earliest: number; wake: number; state: number };
  readonly restart: Record<
    'sleepClock' | 'remainder' | 'sleepExpires' | 'pollLimited' | 'pollSeconds' | 'pollNanoseconds' | 'futexTime',
    number
  >;
}

/** BPF instructions, in the order in which they run (Documentation/bpf/standardization/instruction-set.rst). */
class Instructions {
  private readonly list: (readonly [code: number, registers: number, offset: number, immediate: number])[] = [];

  get length(): number {
    return this.list.length;
  }

  move(to: number, from: number): this {
    return this.add(0xbf, to, from);
  }

  set(to: number, value: number): this {
    return this.add(0xb7, to, 0, 0, value);
  }

  increase(register: number, value: number): this {
    return this.add(0x07, register, 0, 0, value);
  }

  shiftLeft(register: number, bits: number): this {
    return this.add(0x67, register, 0, 0, bits);
  }

  plus(to: number, register: number): this {
    return this.add(0x0f, to, register);
  }

  load(to: number, base: number, offset: number): this {
    return this.add(0x79, to, base, offset);
  }

  load32(to: number, base: number, offset: number): this {
    return this.add(0x61, to, base, offset);
  }

  store(base: number, offset: number, from: number): this {
    return this.add(0x7b, base, from, offset);
  }

  skipUnlessZero(register: number, instructions: number): this {
    return this.add(0x55, register, 0, instructions);
  }

  call(helper: number): this {
    return this.add(0x85, 0, 0, 0, helper);
  }

  exit(): this {
    return this.add(0x95);
  }

  write(to: DataView): void {
    this.list.forEach(([code, registers, offset, immediate], n) => {
      to.setUint8(8 * n, code);
      to.setUint8(8 * n + 1, registers);
      to.setInt16(8 * n + 2, offset, true);
      to.setInt32(8 * n + 4, immediate, true);
    });
  }

  private add(code: number, to = 0, from = 0, offset = 0, immediate = 0): this {
    this.list.push([code, to | (from << 4), offset, immediate]);
    return this;
  }
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
      .call(CALL.probeReadKernel);
  };
  const write = (length: number): void => {
    code.move(1, OUTPUT).move(2, FRAME_POINTER).increase(2, FRAME).set(3, length).call(CALL.seqWrite);
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
    [CALL.ktimeGetNs, AT.monotonic],
    [CALL.ktimeGetBootNs, AT.boottime],
    [CALL.ktimeGetTaiNs, AT.tai],
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
  probe(AT.scratch, 8, TASK, task('cred'));
  follow();
  probe(AT.scratch, 8, POINTER, types.offset('cred', 'security'));
  follow();
  probe(AT.security, SECURITY_SIZE, POINTER, 0);
  probe(AT.scratch, 8, TASK, task('thread.sp'));
  code.load(STACK_POINTER, FRAME_POINTER, FRAME + AT.scratch);
  write(HEAD_SIZE);
  for (let chunk = 0; chunk < STACK_CHUNKS; chunk++) {
    clear(); // beyond the end of the stack nothing is read
    probe(0, STACK_CHUNK, STACK_POINTER, chunk * STACK_CHUNK);
    write(STACK_CHUNK);
  }
  probe(AT.restart, RESTART_SIZE, TASK, task('restart_block'));
  code.set(1, NAME_FORMAT).store(FRAME_POINTER, FRAME, 1);
  const address = FRAME + AT.restart + types.offset('restart_block', 'fn');
  code.move(1, OUTPUT).move(2, FRAME_POINTER).increase(2, FRAME).set(3, NAME_FORMAT_LENGTH);
  code.move(4, FRAME_POINTER).increase(4, address).set(5, 8).call(CALL.seqPrintf);
  return code.set(0, 0).exit();
}

const LICENCE = Buffer.from('Dual BSD/GPL\0');

/** Attributes of bpf(2): pairs of offset and value, of 64 bits where the value is a bigint. */
function bpf(command: number, ...fields: readonly (readonly [offset: number, value: number | bigint])[]): number {
  const attributes = new Uint8Array(ATTRIBUTES_SIZE);
  const view = new DataView(attributes.buffer);
  for (const [offset, value] of fields) {
    if (typeof value === 'bigint') view.setBigUint64(offset, value, true);
    else view.setUint32(offset, value, true);
  }
  return trySyscall('bpf', command, attributes, ATTRIBUTES_SIZE);
}

function checked(result: number, what: string): number {
  if (result < 0) throw new SyscallError(what, -result);
  return result;
}

function load(): Layout {
  const types = new KernelTypes(['task_struct', 'restart_block', 'hrtimer_sleeper', 'pid', 'cred', 'bpf_iter_task']);
  const code = assemble(types);
  const memory = NativeMemory.allocate(8 * code.length + LICENCE.length);
  code.write(memory.view);
  memory.bytes.set(LICENCE, 8 * code.length);
  const program = bpf(
    BPF_PROG_LOAD,
    [0, BPF_PROG_TYPE_TRACING],
    [4, code.length],
    [8, BigInt(memory.address)],
    [16, BigInt(memory.address + 8 * code.length)],
    [68, BPF_TRACE_ITER],
    [108, types.id('bpf_iter_task')],
  );
  memory.free();
  const sleeper = (path: string): number => types.offset('hrtimer_sleeper', path);
  const restart = (path: string): number => types.offset('restart_block', path);
  return {
    program: checked(program, 'bpf(BPF_PROG_LOAD)'),
    sleeper: {
      task: sleeper('task'),
      expires: sleeper('timer.node.expires'),
      earliest: sleeper('timer._softexpires'),
      wake: sleeper('timer.function'),
      state: stateOf(types),
    },
    restart: {
      sleepClock: restart('nanosleep.clockid'),
      remainder: restart('nanosleep.rmtp'),
      sleepExpires: restart('nanosleep.expires'),
      pollLimited: restart('poll.has_timeout'),
      pollSeconds: restart('poll.tv_sec'),
      pollNanoseconds: restart('poll.tv_nsec'),
      futexTime: restart('futex.time'),
    },
  };
}

/** Linux 6.18 made hrtimer.state a flag is_queued. */
function stateOf(types: KernelTypes): number {
  try {
    return types.offset('hrtimer_sleeper', 'timer.is_queued');
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return types.offset('hrtimer_sleeper', 'timer.state');
  }
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
  // union bpf_iter_link_info, task: u32 tid, u32 pid, u32 pid_fd
  const wanted = new Uint8Array(LINK_INFORMATION_SIZE);
  new DataView(wanted.buffer).setUint32(4, pid, true);
  output ??= NativeMemory.allocate(OUTPUT_SIZE);
  const information = output.address;
  output.bytes.set(wanted);
  const link = bpf(BPF_LINK_CREATE, [0, layout.program], [8, BPF_TRACE_ITER], [16, BigInt(information)], [24, LINK_INFORMATION_SIZE]);
  const iterator = bpf(BPF_ITER_CREATE, [0, checked(link, 'bpf(BPF_LINK_CREATE)')]);
  syscall('close', link);
  const tasks: KernelTask[] = [];
  try {
    checked(iterator, 'bpf(BPF_ITER_CREATE)');
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
    if (iterator >= 0) syscall('close', iterator);
  }
}

function parse({ sleeper, restart }: Layout, record: DataView, resumedBy: string): KernelTask {
  const word = (at: number): bigint => record.getBigUint64(at, true);
  const now = { monotonic: word(AT.monotonic), boottime: word(AT.boottime), tai: word(AT.tai) };
  const task = word(AT.task);
  const field = (at: number): number => AT.restart + at;
  const limited = record.getUint32(field(restart.pollLimited), true) !== 0;
  return {
    tid: record.getInt32(AT.tid, true),
    sleeps: word(AT.sleeps),
    now,
    sleepsUntil: findSleeper(record, task, sleeper),
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
    security: new BigUint64Array(record.buffer.slice(record.byteOffset + AT.security, record.byteOffset + AT.stack)),
  };
}

/** The timer that wakes a task lies on its stack, as a struct hrtimer_sleeper that names the task (kernel/time/sleep_timeout.c). */
function findSleeper(record: DataView, task: bigint, sleeper: Layout['sleeper']): bigint | undefined {
  for (let at = AT.stack; at + sleeper.task + 8 <= RECORD_SIZE; at += 8) {
    const word = (offset: number): bigint => record.getBigUint64(at + offset, true);
    if (word(sleeper.task) !== task || word(sleeper.wake) < KERNEL_CODE) continue;
    const earliest = word(sleeper.earliest);
    const latest = word(sleeper.expires);
    const queued = record.getUint8(at + sleeper.state) === QUEUED;
    if (queued && earliest < KERNEL_ADDRESSES && latest >= earliest && latest - earliest <= LARGEST_SLACK) return earliest;
  }
  return undefined;
}
