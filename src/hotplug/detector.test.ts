import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDetector, type Detector, DETECTION, stepDetector, type SignOfLife } from './detector.ts';

/** Nodes with links between them, on one clock; some stand still, some links are cut. */
class Cluster {
  now = 0;
  readonly detectors: Map<number, Detector>;
  readonly stopped = new Set<number>();
  /** Both directions, as `1-2`. */
  readonly cut = new Set<string>();
  readonly events: string[] = [];

  constructor(count: number) {
    const members = Array.from({ length: count }, (_, n) => n + 1);
    this.detectors = new Map(members.map((id) => [id, createDetector(id, members, 0)]));
  }

  run(milliseconds: number): void {
    for (const end = this.now + milliseconds; this.now < end; ) {
      this.now += DETECTION.interval;
      const sent: { from: number; to: number; sign: SignOfLife }[] = [];
      for (const [id, detector] of this.detectors) {
        if (this.stopped.has(id)) continue;
        const step = stepDetector(detector, { kind: 'tick' }, this.now);
        this.detectors.set(id, step.detector);
        for (const effect of step.effects) {
          if (effect.kind === 'send') sent.push({ from: id, ...effect });
          else this.events.push(`${this.now}: ${id} ${effect.kind === 'dead' ? `dead ${effect.node}` : `majority ${effect.has}`}`);
        }
      }
      for (const { from, to, sign } of sent) {
        const receiver = this.detectors.get(to);
        const isCut = this.cut.has(`${Math.min(from, to)}-${Math.max(from, to)}`);
        if (receiver === undefined || this.stopped.has(to) || isCut) continue;
        this.detectors.set(to, stepDetector(receiver, { kind: 'heard', from, sign }, this.now + 1).detector);
      }
    }
  }

  get lastEvents(): string[] {
    return this.events.splice(0).map((event) => event.replace(/^\d+: /, ''));
  }
}

test('a node that stops is dead to all others within two seconds, and comes back', () => {
  const cluster = new Cluster(5);
  cluster.run(1000);
  cluster.stopped.add(3);
  const stoppedAt = cluster.now;
  cluster.run(3000);
  assert.ok(cluster.events.every((event) => Number.parseInt(event, 10) - stoppedAt <= 2000));
  assert.deepEqual(cluster.lastEvents, ['1 dead 3', '2 dead 3', '4 dead 3', '5 dead 3']);
  cluster.stopped.delete(3);
  cluster.run(3000);
  assert.deepEqual(cluster.lastEvents, [], 'it stood still itself, and declares nobody dead');
});

test('a cut link between two nodes is no death, a side without a majority declares nobody dead', () => {
  const cluster = new Cluster(5);
  cluster.run(1000);
  cluster.cut.add('1-2');
  cluster.run(10_000);
  assert.deepEqual(cluster.lastEvents, []);
  for (const one of [1, 2]) for (const other of [3, 4, 5]) cluster.cut.add(`${one}-${other}`);
  cluster.cut.delete('1-2');
  cluster.run(3000);
  const expected = ['1 majority false', '2 majority false', '3 dead 1', '3 dead 2', '4 dead 1', '4 dead 2', '5 dead 1', '5 dead 2'];
  assert.deepEqual(new Set(cluster.lastEvents), new Set(expected));
  cluster.cut.clear();
  cluster.run(1000);
  assert.deepEqual(cluster.lastEvents, ['1 majority true', '2 majority true']);
});

test('a daemon that has ended while its container lives is waited for; when that has gone, too, no longer', () => {
  const cluster = new Cluster(3);
  const port = (isOpen: boolean): void => {
    for (const id of [1, 2]) {
      const detector = cluster.detectors.get(id) ?? assert.fail();
      cluster.detectors.set(id, stepDetector(detector, { kind: 'port', of: 3, isOpen }, cluster.now + 1).detector);
    }
  };
  cluster.run(1000);
  cluster.stopped.add(3);
  for (const end = cluster.now + DETECTION.restart - 1000; cluster.now < end; cluster.run(1000)) port(true);
  assert.deepEqual(cluster.lastEvents, []);
  cluster.run(2000);
  assert.deepEqual(cluster.lastEvents, ['1 dead 3', '2 dead 3'], 'but not for ever');
  cluster.stopped.delete(3);
  cluster.run(1000);
  cluster.stopped.add(3);
  port(true);
  cluster.run(1400);
  assert.deepEqual(cluster.lastEvents, []);
  port(false);
  cluster.run(400);
  assert.deepEqual(cluster.lastEvents, ['1 dead 3', '2 dead 3']);
});

test('a node that gets no processor at times is given more time, and so is one that has never been heard', () => {
  const cluster = new Cluster(3);
  const dead = (): string[] => cluster.lastEvents.filter((event) => event.includes('dead'));
  cluster.run(1000);
  cluster.stopped.add(3);
  cluster.run(1000);
  cluster.stopped.delete(3);
  cluster.run(1000);
  cluster.stopped.add(3);
  cluster.run(DETECTION.deathOfSlow - 1000);
  assert.deepEqual(dead(), []);
  cluster.run(2000);
  assert.deepEqual(dead(), ['1 dead 3', '2 dead 3']);
  const fresh = new Cluster(3);
  fresh.stopped.add(3);
  fresh.run(DETECTION.deathOfSlow - 1000);
  assert.deepEqual(fresh.lastEvents, []);
});

test('who is taken out is not listened to, who is taken in has time to speak', () => {
  const before = createDetector(1, [1, 2], 0);
  const { detector } = stepDetector(before, { kind: 'members', members: [1, 3] }, 10_000);
  assert.deepEqual([...detector.peers.keys()], [3]);
  assert.deepEqual(stepDetector({ ...detector, tickedAt: 10_000 }, { kind: 'tick' }, 10_200).effects, [
    { kind: 'send', to: 3, sign: { suspects: [], isSlow: false } },
  ]);
  assert.equal(stepDetector(detector, { kind: 'heard', from: 2, sign: { suspects: [], isSlow: false } }, 10_000).detector, detector);
});
