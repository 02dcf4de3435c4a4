/** The target's side of proc and fs, for the engine in target.ts. */
import { randomInt } from 'node:crypto';
import {
  AT_FDCWD,
  call,
  type Conversation,
  converse,
  inProcess,
  KorriganError,
  OPEN,
  type ProgramRunner,
  type RemoteProcess,
  tolerateDeath,
} from '../linux/index.ts';
import { DescriptorStore, type FilesImage, filesImageSchema, installFiles, takeRecordLocks } from '../fs/index.ts';
import { HUSK_MEMORY, holdHusk, markRecord, resumeHusk, wasProcess } from '../proc/index.ts';
import { findArrivedRelays, type RelayHome } from '../streams/index.ts';
import { allKinds, containerClocks } from './source-parts.ts';
import type { TargetJob } from './jobs.ts';
import type { Answer, RelayQuestion, SignalQuestion } from './questions.ts';
import type { HeldHusk, MovingPid, TargetParts } from './parts.ts';

const HIGHEST_MARK = 2 ** 48 - 1;

interface Made extends HeldHusk {
  pid: number;
}

export class LocalTargetParts implements TargetParts {
  private readonly job: TargetJob;
  private readonly lane: ProgramRunner;
  private readonly made = new Map<number, Made>();
  private readonly ask: (question: RelayQuestion | SignalQuestion) => Answer;
  private readonly home: RelayHome;
  private readonly noteDescriptors: (fds: number[]) => void;
  private store: DescriptorStore | undefined;
  /** In the record pipe, when the husks are held. */
  private readonly mark = randomInt(HIGHEST_MARK);
  /** Those that run, for the daemon. */
  readonly arrivals: MovingPid[] = [];

  /** @param noteDescriptors told which descriptors of pid 1 are open for this move, for a daemon that comes after this one */
  constructor(
    job: TargetJob,
    lane: ProgramRunner,
    ask: (question: RelayQuestion | SignalQuestion) => Answer,
    noteDescriptors: (fds: number[]) => void,
  ) {
    this.job = job;
    this.ask = ask;
    this.noteDescriptors = noteDescriptors;
    this.home = { node: job.node, comeHome: (state, waiting) => ask({ kind: 'come-home', state, waiting }).original };
    this.lane = lane;
  }

  holdHusks(): void {
    try {
      for (const { pid, hostPid } of this.job.husks) {
        const returning = wasProcess(hostPid, this.job.container.initPid);
        this.made.set(pid, { pid, remote: holdHusk(hostPid), own: [HUSK_MEMORY], returning });
      }
      converse(this.lane, writeAll(this.job.container.recordPipe, markRecord(this.mark)));
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  awaitSignals(): void {
    this.ask({ kind: 'signals-brought', pids: [...this.made.keys()], mark: this.mark });
  }

  takeHusk(pid: number): HeldHusk {
    const husk = this.made.get(pid);
    if (husk === undefined) throw new KorriganError('KRG_PEER_PROTOCOL', `process ${pid} is not part of this migration`);
    return husk;
  }

  chooseNextPid(pid: number): void {
    converse(this.lane, setLastPid(pid - 1));
  }

  installFilesAhead(image: unknown, processes: ReadonlyMap<number, RemoteProcess>): void {
    this.deliver(filesImageSchema.parse(image), processes);
  }

  setPositions(positions: readonly (readonly [description: number, position: number])[]): void {
    if (this.store === undefined) throw new KorriganError('KRG_PEER_PROTOCOL', 'positions came without the files to which they belong');
    this.store.setPositions(positions);
  }

  installFiles(image: unknown, processes: ReadonlyMap<number, RemoteProcess>): void {
    this.releaseFiles();
    const files = filesImageSchema.parse(image);
    const store = this.deliver(files, processes);
    store.takeLocks();
    const relays = findArrivedRelays(files, store);
    if (relays.length > 0) this.ask({ kind: 'arriving', relays });
    // Pid 1 must not keep a pipe's end open once the processes run: nobody would see its end of file.
    this.releaseFiles();
  }

  private deliver(files: FilesImage, processes: ReadonlyMap<number, RemoteProcess>): DescriptorStore {
    const inside = new Map([...processes].map(([pid, remote]) => [pid, inProcess(remote)]));
    const store = new DescriptorStore({
      image: files,
      kinds: allKinds(undefined, this.home),
      lane: this.lane,
      clocks: containerClocks(this.lane),
      inside,
    });
    this.store = store;
    store.begin();
    this.noteDescriptors(store.openDescriptors);
    store.finish();
    this.noteDescriptors(store.openDescriptors);
    for (const process of files.processes) {
      const remote = processes.get(process.pid);
      if (remote === undefined) throw new KorriganError('KRG_PEER_PROTOCOL', `the image names process ${process.pid}, which does not move`);
      installFiles({ store, files: process, inside: inProcess(remote), lane: this.lane });
      takeRecordLocks(inProcess(remote), process);
    }
    return store;
  }

  releaseFiles(): void {
    if (this.store === undefined) return;
    // Their numbers may be given to others as soon as they are closed.
    this.noteDescriptors([]);
    this.store.release();
    this.store = undefined;
  }

  letGo(): void {
    // Files that were installed ahead stand in pid 1 until their positions are known.
    this.releaseFiles();
    for (const { pid, remote } of this.made.values()) this.arrivals.push({ pid, hostPid: remote.pid });
    this.made.clear();
  }

  discard(): void {
    this.releaseFiles();
    for (const { remote } of this.made.values()) {
      const isUntouched = remote.hasRegion && remote.regionAddress === HUSK_MEMORY.start;
      if (isUntouched) tolerateDeath(remote.main.tracee, () => resumeHusk(remote));
      else remote.abandon();
    }
    this.made.clear();
  }
}

function* writeAll(fd: number, bytes: Uint8Array): Conversation<void> {
  yield [call('write', fd, bytes, bytes.length)];
}

function* setLastPid(pid: number): Conversation<void> {
  const text = Buffer.from(String(pid));
  const [fd = -1] = yield [call('openat', AT_FDCWD, '/proc/sys/kernel/ns_last_pid', OPEN.writeOnly | OPEN.closeOnExec, 0)];
  yield [call('write', fd, text, text.length), call('close', fd)];
}
