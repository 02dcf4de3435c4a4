/**
 * A tracer is killed at random moments while it runs programs in processes: they notice nothing, neither in their registers nor in their masks
 * nor in their system calls. Finer than the points of fault-points.ts: any instruction of the tracer may be its last.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Container, containerCgroup, pidRangeOf } from '../src/container/index.ts';
import { until } from './support/engine.ts';

const DEATHS = 25;
const directory = mkdtempSync(join(tmpdir(), 'korrigan-abandoned-'));
let container: Container;

before(async () => {
  container = await Container.create({
    cgroup: containerCgroup(`test-abandoned-${process.pid}`, 1),
    hostName: 'node1',
    range: pidRangeOf(1),
    clockOffsets: { monotonic: 0n, boottime: 0n },
  });
});
after(async () => {
  await container.destroy();
  rmSync(directory, { recursive: true });
});

async function start(binary: string, output: string): Promise<number> {
  const input = container.lane.call('openat', -100, '/dev/null', 0, 0);
  const file = container.lane.call('openat', -100, output, 0o2101, 0o644);
  const { hostPid } = await container.launch({
    arguments: [binary],
    environment: {},
    workingDirectory: '/',
    credentials: { uid: 0, gid: 0, groups: [] },
    umask: 0o22,
    streams: { kind: 'descriptors', fds: [input, file, file] },
    cgroup: container.newApplication(),
  });
  for (const fd of [input, file]) container.closeDescriptor(fd);
  return hostPid;
}

const lines = (file: string): string[] => readFileSync(file, 'utf8').split('\n').slice(0, -1);

test(`a tracer dies ${DEATHS} times, and nobody notices`, async () => {
  const binary = join(directory, 'steady');
  execFileSync('gcc', ['-O2', '-pthread', '-o', binary, join(import.meta.dirname, 'programs', 'workloads', 'steady.c')]);
  const outputs = [join(directory, 'one'), join(directory, 'two')];
  const pids = await Promise.all(outputs.map((output) => start(binary, output)));
  await until(() => outputs.every((output) => lines(output).length > 0), 'the programs');
  for (let death = 0; death < DEATHS; death++) {
    const tracer = spawn(process.execPath, [join(import.meta.dirname, 'support', 'dying-tracer.ts'), ...pids.map(String)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(tracer.stdout, 'data');
    await delay(Math.random() * 30);
    tracer.kill('SIGKILL');
    const [, signal] = (await once(tracer, 'exit')) as [number | null, string | null];
    assert.equal(signal, 'SIGKILL', 'the tracer has failed');
  }
  for (const output of outputs) {
    const seen = lines(output).length;
    await until(() => lines(output).length > seen + 2, 'progress');
    assert.deepEqual(
      lines(output).filter((line) => line.startsWith('BAD')),
      [],
    );
  }
});
