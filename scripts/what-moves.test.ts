import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Feature, readFeatures } from '../test/features.ts';
import { describeWhatMoves, readWhatMoves } from './what-moves.ts';

test('docs/what-moves.md is what scripts/what-moves.ts makes of the feature programs', () => {
  assert.equal(readWhatMoves(), describeWhatMoves(readFeatures()), 'run: node scripts/what-moves.ts');
});

test('rows are grouped, and cells cannot break the table', () => {
  const feature = (name: string, group: Feature['group'], what: string): Feature => ({
    name,
    group,
    what,
    needs: [],
    spoil: undefined,
    source: '',
  });
  const text = describeWhatMoves([feature('pipe_x', 'pipe', 'a | b'), feature('signal_y', 'signal', 'queued')]);
  assert.match(
    text,
    /## Signals\n\n.*\n.*\n\| `signal_y` \| queued \| yes \|\n\n## Pipes and FIFOs\n\n.*\n.*\n\| `pipe_x` \| a \\\| b \| {2}\|\n/,
  );
  assert.match(text, /^2 programs, 1 of them/m);
});
