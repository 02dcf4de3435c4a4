/**
 * Moves processes by the engine alone, without a cluster: a process is exported, killed, and imported under its pids in another pid namespace
 * of this machine. A stopped dummy process plays the husk; descriptors are those the dummy was born with.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { NativeMemory, Pagemap, readDetailedMaps, readStatus, RemoteProcess } from '../../src/linux/index.ts';
import { AreaFlags, contentRuns, ProcessPages, writePages } from '../../src/mm/index.ts';
import { captureProcess, captureRegionSize, Inflation, observeThreads } from '../../src/ghost/index.ts';

const FIRST_PID = 1000;
const RSEQ_FLAG_UNREGISTER = 1;
const namespaces = new Map<number, ChildProcess>();

/** Starts a shell command as process {@link FIRST_PID} of a new pid namespace. @returns its pid here */
export async function startInNamespace(
  command: string,
  environment: Readonly<Record<string, string>> = {},
  workingDirectory = process.cwd(),
): Promise<number> {
  const script = `echo ${FIRST_PID - 1} > /proc/sys/kernel/ns_last_pid; setsid sh -c 'exec ${command}' & wait; sleep 1000`;
  const child = spawn('unshare', ['--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', script], {
    stdio: 'ignore',
    cwd: workingDirectory,
    env: { ...process.env, ...environment },
  });
  const init = await until(() => childrenOf(child.pid ?? 0)[0]);
  const pid = await until(() =>
    childrenOf(init).find((candidate) => readStatus(candidate)?.get('NSpid')?.endsWith(`\t${FIRST_PID}`) === true),
  );
  namespaces.set(pid, child);
  return pid;
}

/** Ends the namespace in which a process was started, and all in it. */
export function endNamespace(pid: number): void {
  namespaces.get(pid)?.kill('SIGKILL');
  namespaces.delete(pid);
}

export function endAllNamespaces(): void {
  for (const pid of namespaces.keys()) endNamespace(pid);
}

export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Asks until there is an answer. @throws Error with `what` after 20 s */
export async function until<T>(question: () => T | undefined | false, what = 'it'): Promise<T> {
  for (let turn = 0; turn < 2000; turn++) {
    const answer = question();
    if (answer !== undefined && answer !== false) return answer;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`${what} did not happen within 20 s`);
}

/** Moves the process to a fresh pid namespace. @returns its pid here */
export async function moveByEngine(pid: number, output: string): Promise<number> {
  const dummy = await startInNamespace(`sleep 1000 >>${output} 2>&1`, {}, '/');
  await until(() => readStatus(dummy)?.get('Name') === 'sleep');
  const flags = new AreaFlags(readDetailedMaps(pid));
  const observed = observeThreads(pid);
  const source = RemoteProcess.stop(pid, { guarded: false });
  source.openRegion(captureRegionSize(source.threads.length));
  const image = captureProcess(source, flags, observed);
  const husk = holdAsHusk(dummy);
  const inflation = new Inflation(husk, {
    returning: false,
    enterContainerRoot: () => assert.fail('nobody comes home here'),
    chooseNextPid: () => assert.fail('nobody comes home here'),
  });
  inflation.mapMemory(image, []);
  copyPages(pid, dummy, image.areas);
  inflation.complete([], (program) => void program.call('chdir', program.string(process.cwd())));
  process.kill(pid, 'SIGKILL');
  inflation.leaveMemory();
  inflation.resume();
  inflation.settle();
  endNamespace(pid);
  return dummy;
}

function copyPages(from: number, to: number, areas: readonly Parameters<typeof contentRuns>[1][]): void {
  const buffer = NativeMemory.allocate(1 << 20);
  using pagemap = new Pagemap(from);
  using pages = new ProcessPages(from);
  for (const area of areas) {
    const read = pages.reader(area);
    for (const run of contentRuns(pagemap, area)) {
      for (let at = run.start; at < run.end; at += buffer.length) {
        const length = Math.min(buffer.length, run.end - at);
        read(at, buffer.address, length);
        writePages(to, at, buffer.address, length);
      }
    }
  }
  buffer.free();
}

/** Stops the dummy and ends what the kernel would still write to its memory, as the conversion to a husk does. */
function holdAsHusk(pid: number): RemoteProcess {
  const husk = RemoteProcess.stop(pid, { guarded: false });
  const { pointer, length, signature } = husk.main.tracee.restartableSequence();
  if (pointer !== 0n) husk.stepSystemCall('rseq', pointer, length, RSEQ_FLAG_UNREGISTER, signature);
  husk.stepSystemCall('set_tid_address', 0);
  return husk;
}
