/**
 * A process is exported, killed, and imported under its pids in another pid namespace, by the engine alone: no cluster, no husks.
 * A stopped dummy process plays the husk; descriptors are those the dummy was born with.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { NativeMemory, readDetailedMaps, readStatus, RemoteProcess, Pagemap, sleepMicroseconds } from '../linux/index.ts';
import { AreaFlags, contentRuns, ProcessPages, writePages } from '../mm/index.ts';
import { captureProcess, captureRegionSize, Inflation } from './index.ts';

const directory = mkdtempSync(join(tmpdir(), 'korrigan-ghost-'));
const namespaces: ChildProcess[] = [];
after(() => {
  for (const child of namespaces) child.kill('SIGKILL');
  rmSync(directory, { recursive: true });
});

const FIRST_PID = 1000;
const RSEQ_FLAG_UNREGISTER = 1;

/** Starts a shell command as process {@link FIRST_PID} of a new pid namespace. @returns its pid here */
async function startIn(command: string): Promise<number> {
  const script = `echo ${FIRST_PID - 1} > /proc/sys/kernel/ns_last_pid; setsid sh -c 'exec ${command}' & wait; sleep 1000`;
  const child = spawn('unshare', ['--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', script], { stdio: 'ignore' });
  namespaces.push(child);
  const init = await until(() => children(child.pid ?? 0)[0]);
  return until(() => children(init).find((pid) => readStatus(pid)?.get('NSpid')?.endsWith(`\t${FIRST_PID}`) === true));
}

function children(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

async function until<T>(question: () => T | undefined | false): Promise<T> {
  for (let turn = 0; turn < 1000; turn++) {
    const answer = question();
    if (answer !== undefined && answer !== false) return answer;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error('it did not happen within 10 s');
}

/** Moves the process to a fresh pid namespace. @returns its pid here */
async function move(pid: number, output: string): Promise<number> {
  const dummy = await startIn(`sleep 1000 >>${output} 2>&1`);
  await until(() => readStatus(dummy)?.get('Name') === 'sleep');
  const flags = new AreaFlags(readDetailedMaps(pid));
  const source = RemoteProcess.stop(pid);
  source.openRegion(captureRegionSize(source.threads.length));
  const image = captureProcess(source, flags);
  const husk = holdAsHusk(dummy);
  const inflation = new Inflation(husk, { returning: false });
  inflation.mapMemory(image, []);
  const buffer = NativeMemory.allocate(1 << 20);
  using pagemap = new Pagemap(pid);
  using pages = new ProcessPages(pid);
  for (const area of image.areas) {
    const read = pages.reader(area);
    for (const run of contentRuns(pagemap, area)) {
      for (let at = run.start; at < run.end; at += buffer.length) {
        const length = Math.min(buffer.length, run.end - at);
        read(at, buffer.address, length);
        writePages(dummy, at, buffer.address, length);
      }
    }
  }
  buffer.free();
  inflation.complete();
  process.kill(pid, 'SIGKILL');
  inflation.resume();
  return dummy;
}

/** Stops the dummy and ends what the kernel would still write to its memory, as the conversion to a husk does. */
function holdAsHusk(pid: number): RemoteProcess {
  const husk = RemoteProcess.stop(pid);
  const { pointer, length, signature } = husk.main.tracee.restartableSequence();
  husk.stepSystemCall('rseq', pointer, length, RSEQ_FLAG_UNREGISTER, signature);
  husk.stepSystemCall('set_tid_address', 0);
  return husk;
}

function build(name: string): string {
  const binary = join(directory, name);
  execFileSync('gcc', ['-O1', '-pthread', '-o', binary, join(import.meta.dirname, 'test-programs', `${name}.c`)]);
  return binary;
}

function lines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').trim().split('\n');
  } catch {
    return [];
  }
}

async function survives(name: string, hops: number): Promise<string[]> {
  const output = join(directory, `${name}.out`);
  let pid = await startIn(`${build(name)} >>${output} 2>&1`);
  await until(() => lines(output).length > 3);
  for (let hop = 0; hop < hops; hop++) {
    pid = await move(pid, output);
    const before = lines(output).length;
    await until(() => lines(output).length > before + 3 || (!readdirSync('/proc').includes(String(pid)) && 'ended')).catch(() => {
      throw new Error(`${name} makes no progress after hop ${hop + 1}: ${lines(output).at(-1)}`);
    });
  }
  sleepMicroseconds(1000);
  process.kill(pid, 'SIGKILL');
  return lines(output);
}

test('a counter goes on without a gap', async () => {
  const seen = (await survives('counter', 5)).map(Number);
  assert.deepEqual(seen, seen.map((_, n) => n));
});

test('threads, mutexes, condition variables and thread-local data survive', async () => {
  const seen = await survives('ring', 5);
  assert.deepEqual(seen.filter((line) => !line.startsWith('round ')), []);
  assert.ok(seen.length > 10);
});
