import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explore, readCorpus } from './campaign.ts';
import { STAGES, receive } from './receiver.ts';

test('the kept corpus, and some thousand inputs made of it, break no rule', async () => {
  const { finding, ways, inputs } = await explore(1, 5000);
  assert.equal(finding, undefined);
  assert.ok(inputs > 5000 + readCorpus().length);
  // It comes past the handshake's and the frame's first checks.
  for (const stage of STAGES) assert.ok([...ways.keys()].filter((way) => way.startsWith(stage)).length > 5, stage);
});

test('a run is a function of its seed', async () => {
  const [one, other] = [await explore(7, 300), await explore(7, 300)];
  assert.deepEqual([...one.ways.keys()], [...other.ways.keys()]);
});

test('what is no frame is refused as such', () => {
  assert.match(receive(Buffer.from('\x02GET / HTTP/1.1\r\n\r\n')), /^open: .*what it sent is no frame/);
});
