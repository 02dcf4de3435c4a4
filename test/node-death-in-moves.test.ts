/** A whole node dies at every step of a move: exactly one copy of the process lives afterwards, or none, and then its parent has seen it killed, once. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { FaultPoint } from '../src/epm/index.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import { Family } from './support/family.ts';
import { Faults } from './support/faults.ts';
import { becomes, killNode, returnNode } from './support/nodes.ts';

const KILLED = 2;
const SIGKILL = 9;
const DYING = 3;

let cluster: TestCluster;
let faults: Faults;
before(async () => {
  faults = new Faults();
  cluster = await startTestCluster('death-in-moves');
});
after(async () => {
  await cluster[Symbol.asyncDispose]();
  faults[Symbol.dispose]();
});

type Fate = 'lives' | 'dies' | 'either';

async function assertFate(kin: Family, point: string, fate: Fate): Promise<void> {
  const isDead = (): boolean => kin.log('root').some((line) => line.startsWith(`child ${kin.pid('child')} `));
  const isAlive = async (): Promise<boolean> => {
    const found = (await cluster.client.processes()).filter(({ pid, kind }) => pid === kin.pid('child') && kind === 'process');
    return found.length === 1 && found[0]?.node === 'node1';
  };
  await eventually(`an end of the move that stood at ${point}`, async () => isDead() || (await isAlive()));
  if (fate !== 'either') assert.equal(isDead() ? 'dies' : 'lives', fate, point);
  if (isDead()) {
    await kin.hasSeen('root', kin.ended('child', KILLED, SIGKILL, SIGKILL));
    await kin.isGone('child');
  } else await kin.isAlive('child');
  await kin.end();
}

/** All of these moves stand still at their points, which are those of ghost workers, when node 3 dies. */
function storm(title: string, from: number, to: number, paused: number, points: readonly (readonly [FaultPoint, Fate])[]): void {
  test(title, async () => {
    const families = await Promise.all(
      points.map(async ([point]) => {
        const kin = await Family.start(cluster, `${point}-${from}-${to}`);
        await kin.fork('root', 'child');
        if (from !== 1) await kin.move('child', from);
        return kin;
      }),
    );
    const moves: Promise<unknown>[] = [];
    for (const [n, [point]] of points.entries()) {
      faults.pause(paused, point);
      moves.push(cluster.move(families[n]?.pid('child') ?? 0, to).catch(() => undefined));
      await faults.reached(paused, point);
    }
    killNode(cluster, DYING);
    await becomes(cluster, DYING, 'dead');
    for (const [point] of points) faults.forget(paused, point);
    await Promise.all(moves);
    for (const [n, [point, fate]] of points.entries()) await assertFate(families[n] ?? assert.fail(), point, fate);
    await returnNode(cluster, DYING);
    await becomes(cluster, DYING, 'online');
  });
}

describe('the target dies', () => {
  storm('while the source stands still', 1, DYING, 1, [
    ['source.prepared', 'lives'],
    ['source.captured', 'lives'],
    ['source.voted', 'either'],
    ['source.committed', 'dies'],
  ]);
  storm('at its own steps', 1, DYING, DYING, [
    ['target.ready', 'lives'],
    ['target.frozen', 'lives'],
    ['target.decided', 'dies'],
    ['target.running', 'dies'],
  ]);
});

describe('the source dies', () => {
  storm('while the target stands still', DYING, 1, 1, [
    ['target.ready', 'dies'],
    ['target.image', 'either'],
    ['target.imported', 'either'],
    ['target.running', 'lives'],
  ]);
  storm('at its own steps', DYING, 1, DYING, [
    ['source.captured', 'dies'],
    ['source.voted', 'lives'],
    ['source.committed', 'lives'],
    ['source.confirmed', 'lives'],
  ]);
});
