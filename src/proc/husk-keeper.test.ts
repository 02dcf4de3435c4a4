import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Container, containerCgroup, pidRangeOf } from '../container/index.ts';
import { HuskKeeper } from './husk-keeper.ts';

const LANE = 4;

test('whoever asks for the template at once gets the same one, and another when somebody has killed it', async () => {
  const container = await Container.create({
    cgroup: containerCgroup(`test-keeper-${process.pid}`, 1),
    hostName: 'node1',
    range: pidRangeOf(1),
    clockOffsets: { monotonic: 0n, boottime: 0n },
  });
  const keeper = new HuskKeeper({ container, lane: LANE, recordPipe: container.openPipe().writeEnd, onEvent: () => undefined });
  try {
    const [first, second] = await Promise.all([keeper.template(), keeper.template()]);
    assert.equal(second, first);
    assert.ok(keeper.isTemplate(first));
    process.kill(container.hostPidOf(first) ?? 0, 'SIGKILL');
    while (container.hostPidOf(first) !== undefined) await new Promise((resolve) => setTimeout(resolve, 2));
    const [third, fourth] = await Promise.all([keeper.template(), keeper.template()]);
    assert.equal(fourth, third);
    assert.notEqual(third, first);
  } finally {
    await keeper[Symbol.asyncDispose]();
    await container.destroy();
  }
});
