/**
 * For tests: programs that hold open files, and idle processes that take them over. Both are orphans of this process: libuv would
 * swallow the stops of a child. Here this process plays pid 1 of a container.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inProcess, onThisThread, RemoteProcess, syscall } from '../linux/index.ts';
import { captureFiles, type Capture, type CaptureOptions } from './capture.ts';
import { installFiles, takeRecordLocks } from './install.ts';
import type { ContainerClocks, Kind } from './kind.ts';
import { DescriptorStore } from './store.ts';
import type { MovingProcess } from './survey.ts';

const REGION_SIZE = 1 << 20;

/** A folder, and all processes that were started in it; both go away when it is disposed of. */
export class Workshop {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'korrigan-fs-'));
  private readonly pids: number[] = [];
  private readonly held: RemoteProcess[] = [];

  /** Starts a Python program. It has `ready()`, which returns once `go()` was called, and the folder as its working directory. */
  start(program: string): { pid: number; go: () => string } {
    const name = `program-${this.pids.length}`;
    const path = join(this.folder, name);
    const prelude = [
      'import os, sys, time, fcntl, socket, select, struct, ctypes, errno, signal',
      'libc = ctypes.CDLL(None, use_errno=True)',
      'def ready(tag=""):',
      `  open(${JSON.stringify(path)} + ".ready" + tag, "w").close()`,
      `  while not os.path.exists(${JSON.stringify(path)} + ".go" + tag): time.sleep(0.01)`,
      'def done(text="ok"):',
      `  open(${JSON.stringify(path)} + ".tmp", "w").write(text); os.rename(${JSON.stringify(path)} + ".tmp", ${JSON.stringify(path)} + ".done")`,
    ];
    writeFileSync(path, `${prelude.join('\n')}\n${program}\n`);
    const pid = this.orphan(`exec python3 ${path} >${path}.out 2>&1 </dev/null`);
    this.await(`${path}.ready`, pid, () => readFileSync(`${path}.out`, 'utf8'));
    return {
      pid,
      go: () => {
        writeFileSync(`${path}.go`, '');
        this.await(`${path}.done`, pid, () => readFileSync(`${path}.out`, 'utf8'));
        return readFileSync(`${path}.done`, 'utf8');
      },
    };
  }

  /** An idle process, held. */
  idle(): { pid: number; remote: RemoteProcess } {
    const pid = this.orphan('exec sleep 1000 </dev/null >/dev/null 2>&1');
    return { pid, remote: this.hold(pid) };
  }

  hold(pid: number): RemoteProcess {
    const remote = RemoteProcess.stop(pid);
    remote.openRegion(REGION_SIZE);
    this.held.push(remote);
    return remote;
  }

  orphan(command: string): number {
    const { stdout } = spawnSync('sh', ['-c', `cd ${this.folder}; setsid sh -c 'echo $$; ${command}' & `], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
    const pid = Number(stdout.trim());
    this.pids.push(pid);
    return pid;
  }

  [Symbol.dispose](): void {
    for (const pid of this.pids) spawnSync('kill', ['-9', String(pid)]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private await(path: string, pid: number, output: () => string): void {
    for (let turn = 0; !existsSync(path); turn++) {
      if (turn > 1000 || !existsSync(`/proc/${pid}/exe`)) throw new Error(`${path} did not appear: ${output()}`);
      spawnSync('sleep', ['0.01']);
    }
  }
}

export const spawnForTests = spawn;

export const localClocks = (): ContainerClocks => ({
  monotonic: readClock(1),
  boottime: readClock(7),
  realtime: readClock(0),
});

function readClock(clock: number): bigint {
  const time = new BigInt64Array(2);
  syscall('clock_gettime', clock, new Uint8Array(time.buffer));
  return (time[0] ?? 0n) * 1_000_000_000n + (time[1] ?? 0n);
}

export function moving(remote: RemoteProcess): MovingProcess {
  return { pid: remote.pid, hostPid: remote.pid, pidfd: syscall('pidfd_open', remote.pid, 0), inside: inProcess(remote) };
}

export function optionsFor(kinds: readonly Kind[], processes: readonly MovingProcess[], others: readonly number[] = []): CaptureOptions {
  return { processes, kinds, initHostPid: process.pid, others, clocks: localClocks(), relatives: new Set() };
}

/** Captures held processes; gives their files to as many idle ones, which are held on return. */
export function copyFiles(workshop: Workshop, kinds: readonly Kind[], sources: readonly RemoteProcess[]): { capture: Capture; targets: RemoteProcess[] } {
  const capture = captureFiles(optionsFor(kinds, sources.map(moving)));
  const store = new DescriptorStore({ image: capture.image, kinds, lane: onThisThread(), clocks: localClocks() });
  store.begin();
  store.finish();
  const targets = capture.image.processes.map((files) => {
    const { pid, remote } = workshop.idle();
    installFiles({ store, files: { ...files, pid }, inside: inProcess(remote), lane: onThisThread() });
    return remote;
  });
  store.release();
  return { capture, targets };
}

export { takeRecordLocks };
