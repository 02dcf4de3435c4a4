import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ESCAPE_START, escapeKeys, type EscapeOrder } from './escape-keys.ts';

/** @returns what the shell gets, and what is ordered, however the bytes were cut */
function typed(text: string, size = text.length): { passed: string; orders: EscapeOrder[] } {
  let state = ESCAPE_START;
  let passed = '';
  const orders: EscapeOrder[] = [];
  for (let at = 0; at < text.length; at += size) {
    const result = escapeKeys(state, Buffer.from(text.slice(at, at + size)));
    state = result.state;
    passed += Buffer.from(result.passed).toString();
    orders.push(...result.orders);
  }
  return { passed, orders };
}

const cases: readonly (readonly [string, string, readonly EscapeOrder[]])[] = [
  ['ls ~/x\r', 'ls ~/x\r', []],
  ['~/bin/x\r', '~/bin/x\r', []],
  ['~.', '', ['disconnect']],
  ['ls\r~.', 'ls\r', ['disconnect']],
  ['ls ~.\r', 'ls ~.\r', []],
  ['~~.\r', '~.\r', []],
  ['~?~.', '', ['help', 'disconnect']],
  ['~\r~.', '~\r', ['disconnect']],
];
for (const [text, passed, orders] of cases) {
  test(`typed ${JSON.stringify(text)}`, () => {
    assert.deepEqual(typed(text), { passed, orders });
    assert.deepEqual(typed(text, 1), { passed, orders });
  });
}
