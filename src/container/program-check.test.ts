import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Program } from '../linux/index.ts';
import { checkProgram } from './program-check.ts';

const BASE = 0x10000;
const mapped = [{ start: BASE, end: BASE + 0x1000 }];
const make = (fill: (program: Program) => void): Program => {
  const program = new Program(BASE, { records: 8, data: 64 });
  fill(program);
  return program;
};

test('system calls may name any address: the kernel checks it', () => {
  checkProgram(
    make((program) => program.call('read', 0, 1, 1)),
    mapped,
  );
});

test('operations on mapped memory pass', () => {
  checkProgram(
    make((program) => {
      const word = program.data(8);
      program.operation('store', word, -1);
      program.operation('copy', word, word, 8);
      program.operation('waitWhileEqual', word, 0);
      program.operation('jump', program.addressOfRecord(0));
    }),
    mapped,
  );
});

const dangerous: [string, (program: Program) => void, RegExp][] = [
  ['a store to nowhere', (program) => program.operation('store', 0, 1), /8 bytes at 0x0 are not mapped/],
  ['a copy beyond the end', (program) => program.operation('copy', BASE, BASE + 0xff8, 16), /16 bytes at 0x10ff8/],
  ['a jump out', (program) => program.operation('jump', BASE + 0x1000), /not mapped/],
  ['a child without a program', (program) => program.operation('spawn', BASE, 88, 0), /64 bytes at 0x0/],
  ['a breakpoint', (program) => program.operation('trap'), /must not run it/],
  ['a return', (program) => program.operation('return'), /must not run it/],
  ['another failure program', (program) => program.operation('onFailure', BASE), /is fixed/],
];
for (const [name, fill, message] of dangerous) {
  test(`refused: ${name}`, () => {
    assert.throws(() => checkProgram(make(fill), mapped), { code: 'KRG_INTERNAL', message });
  });
}

test('records of a child are not checked, the last one, with which the lane ends, is', () => {
  const fill = (last: number) => (program: Program) => {
    program.call('getpid');
    program.operation('store', 0, 1);
    program.operation('jump', last);
  };
  checkProgram(make(fill(BASE)), mapped, 1);
  assert.throws(() => checkProgram(make(fill(0)), mapped, 1), { code: 'KRG_INTERNAL' });
});
