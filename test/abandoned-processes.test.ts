/**
 * A tracer is killed at random moments while it runs programs in processes: they notice nothing, neither in their registers nor in their masks
 * nor in their system calls. Finer than the points of fault-points.ts: any instruction of the tracer may be its last.
 */
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Container, containerCgroup, pidRangeOf } from '../src/container/index.ts';
import { type ControlGroup, REGION_ADDRESS, REGION_LIMIT, RemoteProcess } from '../src/linux/index.ts';
import { until } from './support/engine.ts';

const DEATHS = 25;
const FROZEN_DEATHS = 8;
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

async function start(binary: string, output: string): Promise<{ hostPid: number; group: ControlGroup }> {
  const input = container.lane.call('openat', -100, '/dev/null', 0, 0);
  const file = container.lane.call('openat', -100, output, 0o2101, 0o644);
  const group = container.newApplication();
  const { hostPid } = await container.launch({
    arguments: [binary],
    environment: {},
    workingDirectory: '/',
    credentials: { uid: 0, gid: 0, groups: [] },
    umask: 0o22,
    streams: { kind: 'descriptors', fds: [input, file, file] },
    cgroup: group,
  });
  for (const fd of [input, file]) container.closeDescriptor(fd);
  return { hostPid, group };
}

const lines = (file: string): string[] => readFileSync(file, 'utf8').split('\n').slice(0, -1);

async function startSteady(names: readonly string[]): Promise<{ outputs: string[]; pids: number[]; groups: ControlGroup[] }> {
  const binary = join(directory, 'steady');
  execFileSync('gcc', ['-O2', '-pthread', '-o', binary, join(import.meta.dirname, 'programs', 'workloads', 'steady.c')]);
  const outputs = names.map((name) => join(directory, name));
  const started = await Promise.all(outputs.map((output) => start(binary, output)));
  await until(() => outputs.every((output) => lines(output).length > 0), 'the programs');
  return { outputs, pids: started.map(({ hostPid }) => hostPid), groups: started.map(({ group }) => group) };
}

function startTracer(pids: readonly number[]): ChildProcessByStdio<null, Readable, null> {
  return spawn(process.execPath, [join(import.meta.dirname, 'support', 'dying-tracer.ts'), ...pids.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function wentRound(tracer: ChildProcessByStdio<null, Readable, null>): Promise<void> {
  let text = '';
  for await (const chunk of tracer.stdout) {
    text += String(chunk);
    if (text.includes('went round')) break;
  }
}

async function kill(tracer: ChildProcessByStdio<null, Readable, null>): Promise<void> {
  tracer.kill('SIGKILL');
  const [, signal] = tracer.exitCode === null ? ((await once(tracer, 'exit')) as [number | null, string | null]) : [0, null];
  assert.equal(signal, 'SIGKILL', 'the tracer has failed');
}

async function assertUndisturbed(outputs: readonly string[]): Promise<void> {
  for (const output of outputs) {
    const seen = lines(output).length;
    await until(() => lines(output).length > seen + 2, 'progress');
    assert.deepEqual(
      lines(output).filter((line) => line.startsWith('BAD')),
      [],
    );
  }
}

test(`a tracer dies ${DEATHS} times, and nobody notices`, async () => {
  const { outputs, pids } = await startSteady(['one', 'two']);
  for (let death = 0; death < DEATHS; death++) {
    const tracer = startTracer(pids);
    await once(tracer.stdout, 'data');
    await delay(Math.random() * 30);
    await kill(tracer);
  }
  await assertUndisturbed(outputs);
});

test('what a tracer has left in the unused end of the vDSO does not hinder the next one', async () => {
  const { outputs, pids } = await startSteady(['three']);
  const [pid = 0] = pids;
  const [, end = ''] = /^\w+-(\w+) .*\[vdso\]$/m.exec(readFileSync(`/proc/${pid}/maps`, 'utf8')) ?? [];
  const memory = openSync(`/proc/${pid}/mem`, 'r+');
  // As the last of those left it that were put one behind the other.
  writeSync(memory, Buffer.of(1), 0, 1, parseInt(end, 16) - 16);
  closeSync(memory);
  const tracer = startTracer(pids);
  await wentRound(tracer);
  await kill(tracer);
  await assertUndisturbed(outputs);
});

test('whoever stops threads before they have come back from a killed tracer finds them where they were', async () => {
  const { outputs, pids, groups } = await startSteady(['four']);
  const [[pid = 0], [group]] = [pids, groups];
  assert.ok(group);
  let found = 0;
  // It is chance whether a thread is in the region just then.
  for (let death = 0; death < FROZEN_DEATHS || found === 0; death++) {
    const tracer = startTracer(pids);
    await wentRound(tracer);
    await delay(Math.random() * 30);
    group.freeze();
    await kill(tracer);
    await until(() => group.frozen, 'the freeze');
    found += whereThreadsAre(pid).filter((address) => address >= REGION_ADDRESS && address < REGION_LIMIT).length;
    const remote = RemoteProcess.stop(pid);
    group.thaw();
    for (const { registers } of remote.threads) {
      const rip = registers.getNumber('rip');
      assert.ok(rip < REGION_ADDRESS || rip >= REGION_LIMIT, `a thread is at ${rip.toString(16)}`);
    }
    remote.takeOverRegion();
    remote.openRegion(4096);
    for (const thread of remote.threads) {
      const program = remote.newProgram({ records: 2, data: 0 });
      program.call('getppid');
      remote.run(program, thread);
    }
    remote.release();
  }
  await assertUndisturbed(outputs);
});

/** Where the threads of a process that nobody lets run will go on, as /proc/TID/syscall shows it. */
function whereThreadsAre(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((tid) => {
    const address = readFileSync(`/proc/${pid}/task/${tid}/syscall`, 'utf8').trim().split(' ').at(-1);
    return address?.startsWith('0x') === true ? [Number(address)] : [];
  });
}
