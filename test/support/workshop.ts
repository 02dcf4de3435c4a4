/**
 * For tests: programs that hold open files, and idle processes that take them over. Both are orphans of this process: libuv would
 * swallow the stops of a child. Here this process plays pid 1 of a container.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, constants, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pack, unpack } from 'msgpackr/pack';
import {
  captureFiles,
  DescriptorStore,
  examineFiles,
  filesImageSchema,
  giveUpRecordLocks,
  installFiles,
  takeRecordLocks,
  type CaptureOptions,
  type ContainerClocks,
  enterDirectories,
  type Kind,
  type MovingProcess,
  type FilesImage,
  type StoreOptions,
  type Verdict,
} from '../../src/fs/index.ts';
import { INIT_PROCFS_FD, inProcess, onThisThread, RemoteProcess, syscall, type ProgramRunner } from '../../src/linux/index.ts';

const REGION_SIZE = 1 << 20;
const O_CLOEXEC = 0o2000000;

// As in pid 1, whose procfs is under this number.
const procfs = openSync('/proc', constants.O_RDONLY | constants.O_DIRECTORY);
syscall('dup3', procfs, INIT_PROCFS_FD, O_CLOEXEC);
closeSync(procfs);

/** A folder, and all processes that were started in it; both go away when it is disposed of. */
export class Workshop {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'korrigan-fs-'));
  private readonly pids: number[] = [];

  /** Starts a Python program. It has `ready()`, which returns once `go()` was called, and the folder as its working directory. */
  start(program: string): { pid: number; signal: () => void; go: () => string } {
    const name = `program-${this.pids.length}`;
    const path = join(this.folder, name);
    const prelude = [
      'import os, sys, time, fcntl, socket, select, struct, ctypes, errno, signal',
      'os.closerange(3, 5000)', // what the test runner itself was started with
      'libc = ctypes.CDLL(None, use_errno=True)',
      'def ready(tag=""):', // who sees the file may look at the program's descriptors: it is none of them any more
      `  open(${JSON.stringify(path)} + ".tmp", "w").close(); os.rename(${JSON.stringify(path)} + ".tmp", ${JSON.stringify(path)} + ".ready" + tag)`,
      `  while not os.path.exists(${JSON.stringify(path)} + ".go" + tag): time.sleep(0.01)`,
      'def done(text="ok"):',
      `  open(${JSON.stringify(path)} + ".tmp", "w").write(text); os.rename(${JSON.stringify(path)} + ".tmp", ${JSON.stringify(path)} + ".done")`,
    ];
    writeFileSync(path, `${prelude.join('\n')}\n${program}\n`);
    const pid = this.orphan(`exec python3 ${path} >>${path}.out 2>&1 </dev/null`);
    this.await(`${path}.ready`, pid, () => readFileSync(`${path}.out`, 'utf8'));
    return {
      pid,
      signal: () => writeFileSync(`${path}.go`, ''),
      go: () => {
        writeFileSync(`${path}.go`, '');
        this.await(`${path}.done`, pid, () => readFileSync(`${path}.out`, 'utf8'));
        return readFileSync(`${path}.done`, 'utf8');
      },
    };
  }

  hold(pid: number): RemoteProcess {
    const remote = RemoteProcess.stop(pid, { guarded: false });
    remote.openRegion(REGION_SIZE);
    return remote;
  }

  orphan(command: string): number {
    const { stdout } = spawnSync('sh', ['-c', `cd ${this.folder}; setsid sh -c 'echo $$; ${command}' & `], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pid = Number(stdout.trim());
    this.pids.push(pid);
    return pid;
  }

  [Symbol.dispose](): void {
    for (const pid of this.pids) spawnSync('kill', ['-9', String(pid)]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Ends a process, and returns once its descriptors are closed. */
  end(pid: number): void {
    process.kill(pid, 'SIGKILL');
    while (existsSync(`/proc/${pid}/exe`)) spawnSync('sleep', ['0.01']);
  }

  private await(path: string, pid: number, output: () => string): void {
    for (let turn = 0; !existsSync(path); turn++) {
      const isOver = turn > 1000 || !existsSync(`/proc/${pid}/exe`);
      if (isOver && !existsSync(path)) throw new Error(`${path} did not appear: ${output()}`);
      spawnSync('sleep', ['0.01']);
    }
  }
}

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

/**
 * Gives the descriptors of held processes to as many other held ones, as a move does.
 * @param between what happens after the capture, e.g. the end of the sources
 */
export function copyFiles(
  kinds: readonly Kind[],
  sources: readonly RemoteProcess[],
  targets: readonly RemoteProcess[],
  between?: () => void,
  locks?: 'locks',
): FilesImage {
  const processes = sources.map(moving);
  const inside = processes.map(({ inside: runner }) => runner as ProgramRunner);
  const capture = captureFiles(optionsFor(kinds, processes));
  const arrived = filesImageSchema.parse(unpack(pack(capture.image)));
  const image = { ...arrived, processes: arrived.processes.map((files, n) => ({ ...files, pid: targets[n]?.pid ?? 0 })) };
  if (locks !== undefined) {
    capture.giveUpLocks();
    for (const [n, files] of image.processes.entries()) giveUpRecordLocks(inside[n] as ProgramRunner, files);
  }
  capture.close();
  for (const { pidfd } of processes) syscall('close', pidfd);
  between?.();
  const options: StoreOptions = { image, kinds, lane: onThisThread(), clocks: localClocks() };
  const store = new DescriptorStore(options);
  store.begin();
  store.finish();
  for (const [n, files] of image.processes.entries()) {
    const target = targets[n];
    if (target === undefined) continue;
    const lent = installFiles({ store, files, currentRoot: '/', inside: inProcess(target), lane: onThisThread() });
    const program = target.newProgram({ records: 8, data: 64 });
    enterDirectories(program, lent);
    target.run(program);
    if (locks !== undefined) takeRecordLocks(inProcess(target), files);
  }
  store.seal();
  if (locks !== undefined) store.takeLocks();
  store.release();
  return image;
}

export function examine(kinds: readonly Kind[], remote: RemoteProcess, others: readonly number[]): readonly Verdict[] {
  const { inside: _inside, ...process } = moving(remote);
  try {
    return examineFiles(optionsFor(kinds, [process], others)).verdicts;
  } finally {
    syscall('close', process.pidfd);
  }
}
