import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { test } from 'node:test';
import { verdict } from '../commands/demo.ts';
import { countingArguments, examineNumbers, numbersPath, stopPath } from './counting.ts';
import { demoLines } from './view.ts';
import type { DemoState } from './view.ts';

test('the proof sees what is missing, twice, torn or foreign', () => {
  assert.deepEqual(examineNumbers('1\n2\n3\nend\n'), { numbers: 3, fault: undefined, ended: true });
  assert.deepEqual(examineNumbers('1\n2\n3'), { numbers: 2, fault: undefined, ended: false });
  assert.equal(examineNumbers('1\n3\nend\n').fault, 'line 2 is "3"');
  assert.equal(examineNumbers('1\n2\n2\nend\n').fault, 'line 3 is "2"');
  assert.equal(examineNumbers('1\n\n2\nend\n').fault, 'line 2 is ""');
  assert.equal(examineNumbers('1\nend\n2\nend\n').fault, 'line 2 is "end"');
});

test('the program writes what the proof expects', () => {
  const directory = mkdtempSync(join(tmpdir(), 'krg-demo-test-'));
  try {
    writeFileSync(stopPath(directory), '');
    const [program = '', ...words] = countingArguments(directory);
    execFileSync(program, words);
    assert.deepEqual(examineNumbers(readFileSync(numbersPath(directory), 'utf8')), { numbers: 0, fault: undefined, ended: true });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('the verdict tells numbers, moves and the median stop', () => {
  assert.equal(
    verdict({ numbers: 300, fault: undefined, ended: true }, [3000, 1000, 2000]),
    'proof: 300 numbers from 1 to 300, none missing, none twice, after 3 moves, each stopping it for 2.00 ms (median)',
  );
  assert.match(verdict({ numbers: 2, fault: 'line 2 is "3"', ended: true }, []), /^FAULT after 0 moves: line 2 is "3"/);
});

const state: DemoState = {
  nodes: ['node1', 'node2', 'node3'],
  processes: [
    { pid: 65601, node: 'node2', command: '/bin/sh -c a\nvery long program' },
    { pid: 65602, node: 'node2', command: 'sleep 0.05' },
  ],
  pid: 65601,
  number: 42,
  moving: undefined,
  downtimesMicroseconds: [1500],
  moves: 8,
  automatic: false,
};

for (const width of [40, 80, 200]) {
  test(`the picture fits ${width} columns and has every box closed`, () => {
    const lines = demoLines(state, width).map((line) => stripVTControlCharacters(line));
    for (const line of lines) assert.ok(line.length < width, `${line.length}: ${line}`);
    assert.equal(lines[0]?.match(/┌/g)?.length, 3);
    assert.equal(lines[0]?.match(/┐/g)?.length, 3);
    assert.match(lines.join('\n'), /number 42/);
  });
}
