/** The target's side of proc and fs, for the engine in target.ts. */
import { randomInt } from 'node:crypto';
import {
  call,
  type Conversation,
  converse,
  INIT_PROCFS_FD,
  inProcess,
  isErrno,
  KorriganError,
  OPEN,
  type ProgramRunner,
  readProcessLink,
  type RemoteProcess,
  stealDescriptor,
  syscall,
} from '../linux/index.ts';
import { DescriptorStore, enterContainerRoot, type FilesImage, filesImageSchema, installFiles, takeRecordLocks } from '../fs/index.ts';
import { discardSignals } from '../ghost/index.ts';
import { writeContents } from '../mm/index.ts';
import { HUSK_MEMORY, holdHusk, markRecord, resumeHusk, signalCode, signalNumber, wasProcess } from '../proc/index.ts';
import {
  closePairs,
  dropPairs,
  findArrivedRelays,
  findControlledSessions,
  type KeptTerminal,
  type RelayHome,
  takePair,
} from '../streams/index.ts';
import { allKinds, containerClocks } from './source-parts.ts';
import type { TargetJob } from './jobs.ts';
import type { TargetRecord } from './journal.ts';
import type { WorkerAnswer, WorkerQuestion } from './worker-questions.ts';
import type { HeldHusk, Lend, MovingPid, TargetParts } from './parts.ts';

const SIGWINCH = 28;
const SI_KERNEL = 128;

const HIGHEST_MARK = 2 ** 48 - 1;

interface Made extends HeldHusk {
  pid: number;
}

export class LocalTargetParts implements TargetParts {
  private readonly job: TargetJob;
  private readonly lane: ProgramRunner;
  private readonly made = new Map<number, Made>();
  private readonly ask: (question: WorkerQuestion) => WorkerAnswer;
  private readonly home: RelayHome;
  private readonly note: (change: Partial<Pick<TargetRecord, 'descriptors' | 'terminals'>>) => void;
  /** What the husks of leaders have got, or kept. */
  private terminals: KeptTerminal[] = [];
  private store: DescriptorStore | undefined;
  /** Descriptors of this process for contents that are still to come, by object. */
  private readonly contents = new Map<number, number>();
  /** In the record pipe, when the husks are held. */
  private readonly mark = randomInt(HIGHEST_MARK);
  /** Those that run, for the daemon. */
  readonly arrivals: MovingPid[] = [];

  /** @param note told which descriptors of pid 1 are open for this move, for a daemon that comes after this one */
  constructor(
    job: TargetJob,
    lane: ProgramRunner,
    ask: (question: WorkerQuestion) => WorkerAnswer,
    note: (change: Partial<Pick<TargetRecord, 'descriptors' | 'terminals'>>) => void,
  ) {
    this.job = job;
    this.ask = ask;
    this.note = note;
    this.home = { node: job.node, comeHome: (state, waiting) => ask({ kind: 'come-home', state, waiting }).original };
    this.lane = lane;
  }

  holdHusks(): void {
    try {
      for (const { pid, hostPid } of this.job.husks) {
        const returning = wasProcess(hostPid, this.job.container.initPid);
        this.made.set(pid, { pid, remote: holdHusk(hostPid), own: [HUSK_MEMORY], returning });
        const kept = converse(this.lane, takePair(pid));
        if (kept !== undefined) this.terminals.push(kept);
      }
      if (this.terminals.length > 0) this.note({ terminals: this.terminals });
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

  enterContainerRoot(pid: number, husk: RemoteProcess): void {
    enterContainerRoot({ pid, inside: inProcess(husk), lane: this.lane });
  }

  chooseNextPid(pid: number): void {
    converse(this.lane, setLastPid(pid - 1));
  }

  installFilesAhead(image: unknown, processes: ReadonlyMap<number, RemoteProcess>, lend: Lend): void {
    this.deliver(filesImageSchema.parse(image), processes, lend);
  }

  setPositions(positions: readonly (readonly [description: number, position: number])[]): void {
    if (this.store === undefined) throw new KorriganError('KRG_PEER_PROTOCOL', 'positions came without the files to which they belong');
    this.store.setPositions(positions);
    this.forgetEndedTerminals(this.store.image);
  }

  installFiles(image: unknown, processes: ReadonlyMap<number, RemoteProcess>, lend: Lend): void {
    this.releaseFiles();
    const files = filesImageSchema.parse(image);
    const unaware = [...processes.values()].filter((remote) => !hasNewSize(remote));
    const store = this.deliver(files, processes, lend);
    // That a terminal was given its size is no news to those who have known it.
    for (const remote of unaware) if (hasNewSize(remote)) discardSignals(remote, remote.main, [SIGWINCH]);
    store.takeLocks();
    this.forgetEndedTerminals(files);
    const relays = findArrivedRelays(files, store);
    if (relays.length > 0) this.ask({ kind: 'arriving', relays });
  }

  /** Those that were hung up, or given up, while they were away, and those of which nobody who moves has anything open. */
  private forgetEndedTerminals(files: FilesImage): void {
    const leaders = findControlledSessions(files);
    const ended = this.terminals.filter(({ leader }) => !leaders.has(leader));
    this.letGoOfTerminals(ended, dropPairs);
  }

  releaseTerminals(): void {
    this.letGoOfTerminals(this.terminals, closePairs);
  }

  private letGoOfTerminals(kept: readonly KeptTerminal[], close: typeof closePairs): void {
    if (kept.length === 0) return;
    this.terminals = this.terminals.filter((terminal) => !kept.includes(terminal));
    this.note({ terminals: this.terminals });
    converse(this.lane, close(kept));
  }

  writeContents(object: number, offset: number, native: number, length: number): void {
    const file = this.contents.get(object);
    if (file === undefined) throw new KorriganError('KRG_PEER_PROTOCOL', `contents came for file ${object}, which has none`);
    try {
      writeContents(file, offset, native, length);
    } catch (error) {
      if (!isErrno(error, 'ENOSPC')) throw error;
      throw new KorriganError('KRG_NOT_MOVABLE', 'this node has no room for the contents of a file without a name', { cause: error });
    }
  }

  sealFiles(): void {
    this.closeContents();
    this.store?.seal();
  }

  private deliver(files: FilesImage, processes: ReadonlyMap<number, RemoteProcess>, lend: Lend): DescriptorStore {
    const inside = new Map([...processes].map(([pid, remote]) => [pid, inProcess(remote)]));
    const store = new DescriptorStore({
      image: files,
      kinds: allKinds(undefined, this.home),
      lane: this.lane,
      clocks: containerClocks(this.lane),
      inside,
      kept: new Map(this.terminals.map(({ leader, master, slave }) => [leader, [master, slave]])),
    });
    this.store = store;
    const targets = store.begin();
    this.note({ descriptors: store.openDescriptors });
    store.finish();
    this.note({ descriptors: store.openDescriptors });
    for (const { object, fd } of targets) this.contents.set(object, stealDescriptor(this.job.container.initPid, fd));
    for (const process of files.processes) {
      const remote = processes.get(process.pid);
      if (remote === undefined) throw new KorriganError('KRG_PEER_PROTOCOL', `the image names process ${process.pid}, which does not move`);
      const lent = installFiles({
        store,
        files: process,
        currentRoot: readProcessLink(remote.pid, 'root'),
        inside: inProcess(remote),
        lane: this.lane,
      });
      lend(process.pid, lent);
      takeRecordLocks(inProcess(remote), process);
    }
    return store;
  }

  private closeContents(): void {
    for (const fd of this.contents.values()) syscall('close', fd);
    this.contents.clear();
  }

  releaseFiles(): void {
    this.closeContents();
    if (this.store === undefined) return;
    // Their numbers may be given to others as soon as they are closed.
    this.note({ descriptors: [] });
    this.store.release();
    this.store = undefined;
  }

  letGo(): void {
    // Pid 1 must not keep a pipe's end open once the processes run: nobody would see its end of file.
    this.releaseFiles();
    for (const { pid, remote } of this.made.values()) this.arrivals.push({ pid, hostPid: remote.pid });
    this.made.clear();
  }

  discard(): void {
    this.releaseFiles();
    for (const { remote } of this.made.values()) {
      const isUntouched = remote.hasRegion && remote.regionAddress === HUSK_MEMORY.start;
      if (isUntouched) resumeHusk(remote);
      else remote.abandon();
    }
    this.made.clear();
  }
}

/** Has the kernel told the process that its terminal has another size, and it has not heard it yet? */
function hasNewSize({ main }: RemoteProcess): boolean {
  const pending = main.tracee.pendingSignals('shared');
  return pending.some((information) => signalNumber(information) === SIGWINCH && signalCode(information) === SI_KERNEL);
}

function* writeAll(fd: number, bytes: Uint8Array): Conversation<void> {
  yield [call('write', fd, bytes, bytes.length)];
}

function* setLastPid(pid: number): Conversation<void> {
  const text = Buffer.from(String(pid));
  const [fd = -1] = yield [call('openat', INIT_PROCFS_FD, 'sys/kernel/ns_last_pid', OPEN.writeOnly | OPEN.closeOnExec, 0)];
  yield [call('write', fd, text, text.length), call('close', fd)];
}
