/** Whatever is pressed, happens and is shown, in whatever order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { press } from './input.ts';
import { decodeKeys } from './keys.ts';
import { layoutOf } from './layout.ts';
import { rowsOf } from './rows.ts';
import { settle, withPicture } from './selection.ts';
import { startState, type TopState } from './state.ts';
import { node, picture, processOf } from './test-picture.ts';
import { plainText, widthOf } from './text.ts';
import { topLines } from './view.ts';

const NAMED = ['up', 'down', 'pageup', 'pagedown', 'home', 'end', 'enter', 'escape', 'backspace', 'f5', 'ctrl-l', 'ctrl-u', 'delete'];
const KEYS = 'hqk m[]rx/n\\udPMTN<>sRtcep0123?'.split('').concat(NAMED);

type Happening =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'size'; readonly columns: number; readonly rows: number }
  | { readonly kind: 'look'; readonly pids: readonly number[]; readonly nodes: number };

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('key' as const), key: fc.constantFrom(...KEYS) }) },
  fc.record({ kind: fc.constant('size' as const), columns: fc.integer({ min: 1, max: 150 }), rows: fc.integer({ min: 1, max: 50 }) }),
  fc.record({
    kind: fc.constant('look' as const),
    pids: fc.uniqueArray(fc.integer({ min: 100, max: 160 }), { maxLength: 40 }),
    nodes: fc.integer({ min: 0, max: 12 }),
  }),
);

function follow(state: TopState, what: Happening): { state: TopState; killed: readonly number[] } {
  if (what.kind === 'size') return { state: settle({ ...state, size: what }), killed: [] };
  if (what.kind === 'look') {
    const processes = what.pids.map((pid) => processOf(pid, { ppid: pid - 3, cpu: (pid * 7) % 100, node: `node${pid % 3}` }));
    const nodes = Array.from({ length: what.nodes }, (_, index) => node(`node${index}`));
    return { state: withPicture(state, picture({ processes, nodes })), killed: [] };
  }
  const step = press(state, what.key);
  return { state: step.state, killed: step.effects.flatMap((effect) => (effect.kind === 'signal' ? effect.pids : [])) };
}

test('the screen is whole, who is chosen is listed and seen, and nobody is signalled who was not chosen', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 60 }), (happenings) => {
      let state = startState();
      const wereChosen = new Set<number>();
      for (const what of happenings) {
        if (state.selected !== undefined) wereChosen.add(state.selected);
        const { state: next, killed } = follow(state, what);
        for (const pid of killed) assert.ok(wereChosen.has(pid), `${pid} was never chosen`);
        state = next;
        const rows = rowsOf(state);
        if (state.selected !== undefined) {
          assert.equal(rows[state.position]?.process.pid, state.selected);
          assert.ok(state.position >= state.scroll && state.position < state.scroll + Math.max(1, layoutOf(state).processes));
        }
        const lines = topLines(state, 0);
        assert.equal(lines.length, state.size.rows);
        for (const line of lines) assert.equal(widthOf(plainText(line)), state.size.columns);
      }
    }),
    { numRuns: 200 },
  );
});

test('keys are the same however what was typed was cut', () => {
  const piece = fc.constantFrom('a', 'é', '\r', '\u001b[A', '\u001bOB', '\u001b[5~', '\u001b[1;2C', '\u001b[[A', '\u001b[999z', '\u0003');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), fc.array(fc.nat({ max: 60 }), { maxLength: 8 }), (pieces, places) => {
      const text = pieces.join('');
      const keys: string[] = [];
      let rest = '';
      let at = 0;
      for (const place of [...places.toSorted((a, b) => a - b), text.length]) {
        const decoded = decodeKeys(rest + text.slice(at, Math.max(at, place)));
        keys.push(...decoded.keys);
        rest = decoded.rest;
        at = Math.max(at, place);
      }
      assert.deepEqual({ keys, rest }, decodeKeys(text));
    }),
  );
});
