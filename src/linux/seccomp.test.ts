import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeNotification, encodeAnswer, NOTIFICATION_SIZE, pidFilter, type TrappedCall } from './seccomp.ts';
import { SYS } from './system-call-numbers.ts';

const ALLOW = 0x7fff0000;
const NOTIFY = 0x7fc00000;
const X86_64 = 0xc000003e;

/** What the kernel makes of a call: classic BPF as `bpf(4)` and Documentation/networking/filter.rst define it. */
function evaluate(
  filter: Uint8Array,
  number: number,
  args: readonly number[],
  architecture = X86_64,
  instruction = 0x55_0000_0000n,
): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setBigUint64(8, instruction, true);
  data.setInt32(0, number, true);
  data.setUint32(4, architecture, true);
  for (const [n, value] of args.entries()) data.setBigInt64(16 + 8 * n, BigInt(value), true);
  const view = new DataView(filter.buffer, filter.byteOffset, filter.byteLength);
  let accumulator = 0;
  for (let at = 0; ; at++) {
    const operand = view.getUint32(at * 8 + 4, true);
    const branch = (taken: boolean): number => view.getUint8(at * 8 + (taken ? 2 : 3));
    switch (view.getUint16(at * 8, true)) {
      case 0x20:
        accumulator = data.getUint32(operand, true);
        break;
      case 0x15:
        at += branch(accumulator === operand);
        break;
      case 0x35:
        at += branch(accumulator >= operand);
        break;
      case 0x45:
        at += branch((accumulator & operand) !== 0);
        break;
      case 0x06:
        return operand;
      default:
        assert.fail(`unknown instruction at ${at}`);
    }
  }
}

const calls: TrappedCall[] = [
  { name: 'kill', pidArgument: 0 },
  { name: 'setpgid', pidArgument: 1 },
];
const own = { low: 131_072, high: 196_608 };
const filter = pidFilter(calls, { lowest: 65_536, own });

test('a trapped call is notified exactly when its pid is one of another node', () => {
  fc.assert(
    fc.property(fc.integer({ min: -2_147_483_648, max: 2_147_483_647 }), (pid) => {
      const foreign = pid >= 65_536 && (pid < own.low || pid >= own.high);
      assert.equal(evaluate(filter, SYS.kill, [pid, 9]), foreign ? NOTIFY : ALLOW);
      assert.equal(evaluate(filter, SYS.setpgid, [200_000, pid]), foreign ? NOTIFY : ALLOW);
    }),
  );
  for (const pid of [65_535, 65_536, own.low - 1, own.low, own.high - 1, own.high]) {
    assert.equal(evaluate(filter, SYS.kill, [pid, 0]) === NOTIFY, pid >= 65_536 && (pid < own.low || pid >= own.high), String(pid));
  }
});

test('groups, own pids, kinds of targets and requests are told apart; code of ours passes', () => {
  const special = pidFilter(
    [
      { name: 'kill', pidArgument: 0, groups: true },
      { name: 'prlimit64', pidArgument: 0, own: true },
      { name: 'setpriority', pidArgument: 1, own: true, which: { argument: 0, process: 0 } },
      { name: 'ptrace', pidArgument: 1, own: true, only: { argument: 0, values: [16, 0x4206] } },
    ],
    { lowest: 65_536, own },
    ['setsid'],
  );
  const verdicts: readonly (readonly [keyof typeof SYS, readonly number[], boolean])[] = [
    ['kill', [-5, 9], true],
    ['kill', [-1, 9], true],
    ['kill', [0, 9], false],
    ['kill', [own.low, 9], false],
    ['kill', [own.high, 9], true],
    ['prlimit64', [0, 7], false],
    ['prlimit64', [1, 7], false],
    ['prlimit64', [own.low, 7], true],
    ['prlimit64', [-1, 7], false],
    ['setpriority', [0, 0, 5], false],
    ['setpriority', [0, own.low, 5], true],
    ['setpriority', [0, own.high, 5], true],
    ['setpriority', [1, 0, 5], true],
    ['setpriority', [2, 1000, 5], true],
    ['ptrace', [16, own.low], true],
    ['ptrace', [0x4206, own.high], true],
    ['ptrace', [0x4206, 400], false],
    ['ptrace', [7, own.high], false],
    ['setsid', [], true],
  ];
  for (const [name, args, isNotified] of verdicts) {
    assert.equal(evaluate(special, SYS[name], args), isNotified ? NOTIFY : ALLOW, `${name} ${args.join()}`);
    for (const inside of [0x2aff_0000_0000n, 0x3fff_ffff_ffffn]) assert.equal(evaluate(special, SYS[name], args, X86_64, inside), ALLOW);
    for (const outside of [0x2afe_ffff_ffffn, 0x4000_0000_0000n])
      assert.equal(evaluate(special, SYS[name], args, X86_64, outside), isNotified ? NOTIFY : ALLOW);
  }
});

test('every other call passes, of another architecture too; x32 and io_uring are missing', () => {
  for (const number of Object.values(SYS)) {
    if (number === SYS.kill || number === SYS.setpgid || number === SYS.io_uring_setup) continue;
    assert.equal(evaluate(filter, number, [70_000, 70_000]), ALLOW);
  }
  assert.equal(evaluate(filter, SYS.io_uring_setup, [4, 0]), 0x50000 | 38);
  assert.equal(evaluate(filter, SYS.kill, [70_000], 0x40000003), ALLOW);
  assert.equal(evaluate(filter, SYS.kill | 0x40000000, [70_000]), 0x50000 | 38);
});

test('a notification is decoded and its answer encoded as the kernel lays them out', () => {
  const view = new DataView(new ArrayBuffer(NOTIFICATION_SIZE));
  view.setBigUint64(0, 77n, true);
  view.setUint32(8, 4321, true);
  view.setInt32(16, SYS.kill, true);
  view.setBigUint64(32, 70_000n, true);
  view.setBigUint64(72, 6n, true);
  assert.deepEqual(decodeNotification(view), { id: 77n, thread: 4321, number: SYS.kill, args: [70_000n, 0n, 0n, 0n, 0n, 6n] });
  const error = new DataView(encodeAnswer(77n, { kind: 'error', errno: 3 }).buffer);
  assert.deepEqual(
    [error.getBigUint64(0, true), error.getBigInt64(8, true), error.getInt32(16, true), error.getUint32(20, true)],
    [77n, 0n, -3, 0],
  );
  const goesOn = new DataView(encodeAnswer(78n, { kind: 'continue' }).buffer);
  assert.equal(goesOn.getUint32(20, true), 1);
});
