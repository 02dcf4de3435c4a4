/** System calls that are made where the process is that they name, with the rights of their caller. */
import { ERRNO, isErrno, type NotificationAnswer, readMemory, type TrappedWrite } from '../../linux/index.ts';
import type { TrappedCallInFlight, TrappedCallName } from '../../container/index.ts';
import type { NodeFamilies } from '../node-families.ts';
import { type Caller, type CallsForOthers } from './caller.ts';
import { type Buffer, FORWARDED_CALLS, type ForwardedCall } from './catalogue.ts';
import { type CallRequest, makeCall, type Made } from './messages.ts';
import type { Places } from './places.ts';

const ANSWER_MILLISECONDS = 3000;
/** An address that is not zero; the one that counts is put in its place. */
const SOME_ADDRESS = 1;

export class ForwardedCalls {
  private readonly families: NodeFamilies;
  private readonly places: Places;
  private readonly others: CallsForOthers;

  constructor(families: NodeFamilies, places: Places, others: CallsForOthers) {
    this.families = families;
    this.places = places;
    this.others = others;
    families.options.rpc.handle(makeCall, (request) => {
      const { pidArgument } = FORWARDED_CALLS[request.name] ?? { pidArgument: 0 };
      // Groups and users are on every node.
      const isHere = namesMany(request.name, request.args) || this.places.here(request.args[pidArgument] ?? 0) === 'process';
      return isHere ? this.make(request) : { isHere, result: 0, outputs: [] };
    });
  }

  /** Of a process that is not here, or only by its husk. */
  async answer(name: TrappedCallName, call: TrappedCallInFlight, caller: Caller): Promise<NotificationAnswer> {
    const described = FORWARDED_CALLS[name];
    if (described === undefined) return { kind: 'error', errno: ERRNO.ESRCH };
    const request = this.describe(name, described, call, caller);
    if (request === undefined) return { kind: 'error', errno: ERRNO.EFAULT };
    const made = namesMany(name, request.args) ? await this.askAll(request) : await this.askOne(request, described);
    if (made === undefined) return { kind: 'error', errno: ERRNO.ESRCH };
    if (made.result < 0) return { kind: 'error', errno: -made.result };
    const writes = made.outputs.map(({ argument, bytes }): TrappedWrite => ({ address: Number(call.args[argument] ?? 0n), bytes }));
    return { kind: 'value', value: BigInt(made.result), writes };
  }

  /** Is it about the members of a group, or the processes of a user? */
  namesMany(name: TrappedCallName, { args }: TrappedCallInFlight): boolean {
    return namesMany(name, [Number(BigInt.asIntN(32, args[0]))]);
  }

  private async askOne(request: CallRequest, { pidArgument }: ForwardedCall): Promise<Made | undefined> {
    const { rpc } = this.families.options;
    return this.places.ask(request.args[pidArgument] ?? 0, (node) => rpc.call(node, makeCall, request, this.families.once()));
  }

  /** Priorities of groups and users. The kernel's answer is the best one of all, and its error is one of those that there were. */
  private async askAll(request: CallRequest): Promise<Made> {
    const { rpc, isLiving } = this.families.options;
    const options = { policy: 'each', deadlineMs: ANSWER_MILLISECONDS, ...this.families.once() } as const;
    const { answers } = await rpc.callGroup(rpc.peers.filter(isLiving), makeCall, request, options);
    const results = [this.make(request), ...answers.values()].map(({ result }) => result);
    const failures = results.filter((result) => result < 0 && result !== -ERRNO.ESRCH);
    const found = results.filter((result) => result >= 0);
    const best = request.name === 'ioprio_get' ? Math.min(...found) : Math.max(...found);
    const [failure = found.length === 0 ? -ERRNO.ESRCH : best] = failures;
    return { isHere: true, result: failure, outputs: [] };
  }

  /** @returns undefined when the caller's memory cannot be read */
  private describe(name: TrappedCallName, described: ForwardedCall, call: TrappedCallInFlight, caller: Caller): CallRequest | undefined {
    const args = call.args.map((argument) => Number(BigInt.asIntN(32, argument)));
    const { buffers } = described;
    const inputs: CallRequest['inputs'] = [];
    const outputs: CallRequest['outputs'] = [];
    for (const buffer of buffers) {
      const address = Number(call.args[buffer.argument] ?? 0n);
      args[buffer.argument] = address === 0 ? 0 : SOME_ADDRESS;
      if (address === 0) continue;
      try {
        const size = buffer.size(args, headOf(buffer, call.thread, address));
        if (buffer.direction === 'in') inputs.push({ argument: buffer.argument, bytes: readMemory(call.thread, address, size) });
        else outputs.push({ argument: buffer.argument, size });
      } catch (error) {
        if (error instanceof RangeError || isErrno(error, 'EFAULT')) return undefined;
        throw error;
      }
    }
    return { name, args: namesCaller(name, args, caller), inputs, outputs, caller };
  }

  private make({ name, args, inputs, outputs, caller }: CallRequest): Made {
    const places = new Map<number, Uint8Array>();
    for (const { argument, bytes } of inputs) places.set(argument, new Uint8Array(bytes));
    for (const { argument, size } of outputs) places.set(argument, new Uint8Array(size));
    const given = args.map((value, n) => places.get(n) ?? value);
    const result = this.others.make(caller, name, given);
    const written = result < 0 ? [] : outputs.map(({ argument }) => ({ argument, bytes: places.get(argument) ?? new Uint8Array() }));
    return { isHere: true, result, outputs: written };
  }
}

function headOf({ head }: Buffer, thread: number, address: number): DataView {
  const bytes = head === undefined ? new Uint8Array() : readMemory(thread, address, head);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

const PRIO_PGRP = 1;
const IOPRIO_WHO_PGRP = 2;

/** Is it about the members of a group, or the processes of a user? */
function namesMany(name: string, [which = 0]: readonly number[]): boolean {
  if (name === 'getpriority' || name === 'setpriority') return which >= PRIO_PGRP;
  return (name === 'ioprio_get' || name === 'ioprio_set') && which >= IOPRIO_WHO_PGRP;
}

/** A zero for a group is that of the caller, which pid 1 does not have. */
function namesCaller(name: string, args: readonly number[], { group }: Caller): number[] {
  const [which, who] = args;
  const isOwnGroup = namesMany(name, args) && who === 0 && which === (name.startsWith('ioprio') ? IOPRIO_WHO_PGRP : PRIO_PGRP);
  return args.map((value, n) => (isOwnGroup && n === 1 ? group : value));
}
