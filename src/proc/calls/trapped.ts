/** Answers trapped calls. */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { TRAPPED_CALLS, type TrappedCallInFlight, type TrappedCallName } from '../../container/index.ts';
import { converse, ERRNO, isErrno, type NotificationAnswer, one, readMemory, readProcessLink, settled, SYS } from '../../linux/index.ts';
import type { NodeId } from '../../rpc/index.ts';
import type { FamilyDescription } from '../family-description.ts';
import type { GroupChanges } from '../group-changes.ts';
import type { NodeFamilies } from '../node-families.ts';
import { plainSignal, sentBy } from '../records.ts';
import type { SignalPost } from '../signal-post.ts';
import { type Caller, callerOf, CallsForOthers } from './caller.ts';
import { FORWARDED_CALLS } from './catalogue.ts';
import { ForwardedCalls } from './forwarded.ts';
import { Places } from './places.ts';
import { RemoteMemory } from './remote-memory.ts';
import { ForwardedSignals } from './signals.ts';
import { StandIns } from './stand-ins.ts';

const NAMES = new Map<number, TrappedCallName>(TRAPPED_CALLS.map(({ name }) => [SYS[name], name]));
const SIGINFO_SIZE = 128;
const SI_USER = 0;
const SI_TKILL = -6;
const PROCESS_DIRECTORY = /^\/proc\/(\d+)$/;
const GOES_ON: NotificationAnswer = { kind: 'continue' };

export interface TrappedCallsOptions {
  readonly families: NodeFamilies;
  readonly post: SignalPost;
  readonly groupChanges: GroupChanges;
  readonly locate: (pid: number) => Promise<NodeId>;
  readonly isHusk: (pid: number) => boolean;
  /** See StandIns. */
  readonly makeHusks: (family: FamilyDescription) => Promise<void>;
}

export class TrappedCalls {
  private readonly families: NodeFamilies;
  private readonly groupChanges: GroupChanges;
  private readonly places: Places;
  private readonly signals: ForwardedSignals;
  private readonly calls: ForwardedCalls;
  private readonly memory: RemoteMemory;
  private readonly standIns: StandIns;

  constructor({ families, post, groupChanges, locate, isHusk, makeHusks }: TrappedCallsOptions) {
    const others = new CallsForOthers(families.options.container);
    this.families = families;
    this.groupChanges = groupChanges;
    this.places = new Places(families, locate, isHusk);
    this.signals = new ForwardedSignals(families, post, this.places, others);
    this.calls = new ForwardedCalls(families, this.places, others);
    this.memory = new RemoteMemory(families, this.places, others);
    this.standIns = new StandIns(families, this.places, makeHusks);
  }

  async answer(call: TrappedCallInFlight): Promise<NotificationAnswer> {
    const caller = callerOf(call.thread, this.families.options.container, this.families.table);
    if (caller === undefined) return GOES_ON; // it has ended
    if (call.number === SYS.setsid || call.number === SYS.setpgid) return this.relate(call, caller);
    if (call.number === SYS.pidfd_send_signal) return this.signalByDirectory(call, caller);
    const name = NAMES.get(call.number);
    if (name === undefined) return GOES_ON;
    const [first = 0, second = 0, third = 0] = call.args.map((argument) => Number(BigInt.asIntN(32, argument)));
    switch (name) {
      case 'kill':
        if (first < 0) return this.signalMany(first, second, caller);
        return this.signal(first, undefined, second, information(second, SI_USER, caller), caller);
      case 'tkill':
        return this.signal(first, first, second, information(second, SI_TKILL, caller), caller);
      case 'tgkill':
        return this.signal(first, second, third, information(third, SI_TKILL, caller), caller);
      case 'rt_sigqueueinfo':
        return this.queue(first, undefined, second, call, 2, caller);
      case 'rt_tgsigqueueinfo':
        return this.queue(first, second, third, call, 3, caller);
      case 'pidfd_open':
        if (this.places.here(first) === 'nowhere') await this.standIns.make(first);
        return GOES_ON;
      case 'ptrace':
        return this.places.here(second) === 'process' ? GOES_ON : this.refuseTracer(second, call.thread);
      case 'process_vm_readv':
      case 'process_vm_writev':
        return this.places.here(first) === 'nowhere' ? this.memory.answer(name === 'process_vm_writev', call, caller) : GOES_ON;
      default:
        return this.forward(name, call, caller);
    }
  }

  /** A husk takes a signal as its process would. */
  private async signal(
    id: number,
    thread: number | undefined,
    signal: number,
    info: Uint8Array,
    caller: Caller,
  ): Promise<NotificationAnswer> {
    if (this.places.here(id) !== 'nowhere') return GOES_ON;
    if (thread !== undefined && thread <= 0) return { kind: 'error', errno: ERRNO.EINVAL };
    return resultOf(await this.signals.signal({ id, thread, signal, information: info, caller }));
  }

  private async queue(
    id: number,
    thread: number | undefined,
    signal: number,
    call: TrappedCallInFlight,
    argument: number,
    caller: Caller,
  ): Promise<NotificationAnswer> {
    if (this.places.here(id) !== 'nowhere') return GOES_ON;
    const info = this.given(call, argument, signal);
    return typeof info === 'number' ? { kind: 'error', errno: info } : this.signal(id, thread, signal, info, caller);
  }

  /** The siginfo_t that a caller has made himself. @returns it, or an errno */
  private given(call: TrappedCallInFlight, argument: number, signal: number): Uint8Array | number {
    const info = this.read(call, argument);
    if (info === undefined) return ERRNO.EFAULT;
    const view = new DataView(info.buffer, info.byteOffset);
    const code = view.getInt32(8, true);
    // Only a process itself may say of a signal that the kernel, or kill(2), has sent it.
    if (code >= 0 || code === SI_TKILL) return ERRNO.EPERM;
    view.setInt32(0, signal, true);
    return info;
  }

  /** The descriptor is that of a directory of the cluster's /proc: whom it stands for says its name. */
  private async signalByDirectory(call: TrappedCallInFlight, caller: Caller): Promise<NotificationAnswer> {
    const [fd = 0, signal = 0, , flags = 0] = call.args.map((argument) => Number(BigInt.asIntN(32, argument)));
    const [, pid] = PROCESS_DIRECTORY.exec(readProcessLink(call.thread, `fd/${fd}`) ?? '') ?? [];
    if (pid === undefined || flags !== 0) return GOES_ON;
    const info = call.args[2] === 0n ? information(signal, SI_USER, caller) : this.given(call, 2, signal);
    if (typeof info === 'number') return { kind: 'error', errno: info };
    return resultOf(await this.signals.signal({ id: Number(pid), signal, information: info, caller }));
  }

  private read({ thread, args }: TrappedCallInFlight, argument: number): Uint8Array | undefined {
    try {
      return readMemory(thread, Number(args[argument] ?? 0n), SIGINFO_SIZE);
    } catch (error) {
      if (error instanceof RangeError || isErrno(error, 'EFAULT')) return undefined;
      throw error;
    }
  }

  /** A group that is here has its proxy, which tells the other nodes. All processes are told by all nodes. */
  private async signalMany(target: number, signal: number, caller: Caller): Promise<NotificationAnswer> {
    const group = target === -1 ? undefined : -target;
    if (group !== undefined && this.isGroupHere(group)) return GOES_ON;
    return resultOf(await this.signals.signalMany(signal, information(signal, SI_USER, caller), caller, group));
  }

  private isGroupHere(group: number): boolean {
    return converse(this.families.options.container.lane, settled([one('kill', -group, 0)])).every((outcome) => 'value' in outcome);
  }

  private async forward(name: TrappedCallName, call: TrappedCallInFlight, caller: Caller): Promise<NotificationAnswer> {
    const described = FORWARDED_CALLS[name];
    const id = Number(BigInt.asIntN(32, call.args[described?.pidArgument ?? 0] ?? 0n));
    const place = this.calls.namesMany(name, call) ? 'nowhere' : this.places.here(id);
    if (place === 'process' || (place === 'husk' && described?.husk === true)) return GOES_ON;
    return this.calls.answer(name, call, caller);
  }

  /** No kernel traces across machines. strace(1) and gdb(1) show the text of the errno; where the process is stands before it. */
  private async refuseTracer(pid: number, tracer: number): Promise<NotificationAnswer> {
    const node = await this.places.find(pid);
    if (node === undefined) return { kind: 'error', errno: ERRNO.ESRCH };
    complainTo(tracer, `korrigan: process ${pid} runs on node ${node}; what traces it must run there, too (krg run --node ${node} -- …)\n`);
    return { kind: 'error', errno: ERRNO.EREMOTE };
  }

  /** A process is about to change its session or group, or that of a child: relatives on other nodes see it before it does. */
  private async relate(call: TrappedCallInFlight, caller: Caller): Promise<NotificationAnswer> {
    const [first = 0, second = 0] = call.args.map((argument) => Number(BigInt.asIntN(32, argument)));
    const isSession = call.number === SYS.setsid;
    const pid = isSession || first === 0 ? caller.pid : first;
    if (this.groupChanges.concernsOthers(pid)) await this.groupChanges.relate(pid, isSession ? 0 : second === 0 ? pid : second);
    return GOES_ON;
  }
}

/** Writes to the standard error of a thread, where that is a file, a pipe or a terminal that takes it. */
function complainTo(thread: number, text: string): void {
  const { O_WRONLY, O_APPEND, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    const fd = openSync(`/proc/${thread}/fd/2`, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY);
    try {
      writeSync(fd, text);
    } finally {
      closeSync(fd);
    }
  } catch {
    // It has the errno.
  }
}

const information = (signal: number, code: number, { pid, users }: Caller): Uint8Array => sentBy(plainSignal(signal), code, pid, users[0]);

function resultOf(result: number): NotificationAnswer {
  return result < 0 ? { kind: 'error', errno: -result } : { kind: 'value', value: BigInt(result) };
}
