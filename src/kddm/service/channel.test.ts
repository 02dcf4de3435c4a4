import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Channel, type Packet } from './channel.ts';

const [ONE, TWO, NEXT] = [1, 2, 3];
const SIZE = 100;

/** Two ends, and what is between them. */
function pair(): { one: Channel<number>; two: Channel<number> } {
  const [one, two] = [new Channel<number>(ONE), new Channel<number>(TWO)];
  one.bind(TWO);
  two.bind(ONE);
  return { one, two };
}

/** Numbers that are as good as random, and the same each time. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

test('whatever is lost with links, everything comes once and in order, both ways', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = randomNumbers(seed);
    const { one, two } = pair();
    const ends = [one, two];
    const links: Packet<number>[][] = [[], []];
    const [sent, got] = [[0, 0], [[], []] as [number[], number[]]];
    const step = (quietly: boolean): void => {
      const n = random() < 0.5 ? 0 : 1;
      const [here, there] = [ends[n] ?? assert.fail(), ends[1 - n] ?? assert.fail()];
      const link = links[n] ?? assert.fail();
      const choice = random();
      if (choice < 0.3 && !quietly) {
        sent[n] = (sent[n] ?? 0) + 1;
        here.push(sent[n] ?? 0, SIZE);
      } else if (choice < 0.5) link.push(...here.take());
      else if (choice < 0.55) {
        const confirmation = here.confirmation(random() < 0.5);
        if (confirmation !== undefined) link.push(confirmation);
      } else if (choice < 0.58) {
        // The link is lost, and the next one is up.
        for (const each of links) each.splice(Math.floor(random() * (each.length + 1)));
        while (links.some((each) => each.length > 0)) arrive(links[0]?.length === 0 ? 1 : 0);
        for (const end of ends) end.rewind();
      } else if (link.length > 0) arrive(n);
      assert.ok(there.oldest <= (sent[1 - n] ?? 0));
    };
    const arrive = (n: number): void => {
      const packet = links[n]?.shift();
      const body = packet && ends[1 - n]?.receive(packet, SIZE);
      if (body !== undefined) got[1 - n]?.push(body);
    };
    for (let n = 0; n < 400; n++) step(false);
    for (const end of ends) end.rewind();
    for (let n = 0; n < 400; n++) step(true);
    const expected = sent.map((count) => Array.from({ length: count }, (_, n) => n + 1));
    assert.deepEqual([got[1], got[0]], expected, `seed ${seed}`);
  }
});

test('what was meant for another life of the peer is dropped, at both ends', () => {
  const { one, two } = pair();
  one.push(1, SIZE);
  const [early] = one.take();
  const restarted = new Channel<number>(NEXT);
  assert.equal(restarted.receive(early ?? assert.fail(), SIZE), undefined);
  assert.equal(restarted.confirmation(true), undefined);
  one.bind(NEXT);
  assert.equal(one.isWaiting, false);
  one.push(2, SIZE);
  const [late] = one.take();
  assert.equal(two.receive(late ?? assert.fail(), SIZE), undefined);
  assert.equal(restarted.receive(late ?? assert.fail(), SIZE), 2);
  // It speaks first, and is understood before the other has heard of it from the cluster's record.
  const other = new Channel<number>(ONE);
  other.bind(TWO);
  restarted.bind(ONE);
  restarted.push(3, SIZE);
  const [first] = restarted.take();
  assert.equal(other.receive(first ?? assert.fail(), SIZE), 3);
  assert.deepEqual(other.confirmation(true), { from: ONE, to: NEXT, received: 1, sequence: 0 });
});

test('more than the window waits until something is confirmed', () => {
  const { one, two } = pair();
  for (let n = 0; n < 40; n++) one.push(n, 2 ** 20);
  const first = one.take();
  assert.equal(first.length, 16);
  assert.equal(one.take().length, 0);
  for (const packet of first) two.receive(packet, 2 ** 20);
  one.receive(two.confirmation(false) ?? assert.fail('so much is confirmed at once'), 0);
  assert.equal(one.take().length, 16);
});
