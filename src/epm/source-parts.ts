/** The source's side of proc and fs, for the engine in source.ts. */
import { randomUUID } from 'node:crypto';
import {
  call,
  type Conversation,
  converse,
  inProcess,
  KorriganError,
  messageWithDescriptors,
  pidfdOpen,
  type ProgramRunner,
  type RemoteProcess,
  syscall,
} from '../linux/index.ts';
import {
  type Capture,
  captureFiles,
  type CaptureOptions,
  type ContainerClocks,
  fileKinds,
  FilesAhead,
  giveUpRecordLocks,
  type Kind,
  type MappedDescription,
  type MovingProcess,
  type Position,
  refusedKind,
  takeRecordLocks,
} from '../fs/index.ts';
import { sendDescriptors } from '../container/index.ts';
import { isNamelessMapping, openNamelessFiles } from '../mm/index.ts';
import {
  closePairs,
  findControllingTerminals,
  keepPair,
  type KeptTerminal,
  relayedKinds,
  type RelayHome,
  type RelaySource,
  streamKinds,
} from '../streams/index.ts';
import { ContainerTable, deflate, isSameFamily, relativesOf } from '../proc/index.ts';
import type { ContainerReference, MovePlan } from './jobs.ts';
import type { SourceRecord } from './journal.ts';
import type { WorkerAnswer, WorkerQuestion } from './worker-questions.ts';
import type { FrozenPid, MappingPid, MovingPid, SourceParts } from './parts.ts';

/** All kinds of files, in the order in which they are tried. @param relays where files are captured @param home where they are restored */
export function allKinds(relays: RelaySource | undefined, home?: RelayHome): readonly Kind[] {
  return [...relayedKinds(relays, home), ...streamKinds, ...fileKinds, refusedKind];
}

/** What the source's engine says to the daemon. */
export interface SourceReports {
  /** The processes belong to the target; what stays behind has not changed yet. */
  committed(): void;
  ask(question: WorkerQuestion): WorkerAnswer;
  /** These are about to be given up, for the target to take them. */
  givesUpLocks(locks: SourceRecord['locks']): void;
  /** Pid 1 has these open. */
  keepsTerminals(terminals: readonly KeptTerminal[]): void;
}

/** All locks, each with a process and a descriptor through which it can be taken again. */
function locksOf({ descriptions, processes }: Capture['image']): SourceRecord['locks'] {
  return processes.flatMap(({ pid, descriptors, recordLocks }) => [
    ...recordLocks.map(({ fd, lock }) => ({ pid, fd, lock })),
    ...descriptions.flatMap(({ id, locks }) => {
      const holder = descriptors.find(({ description }) => description === id);
      return holder === undefined ? [] : locks.map((lock) => ({ pid, fd: holder.fd, lock }));
    }),
  ]);
}

/** Files without a name that processes have mapped, opened. */
export function mappedBy(processes: readonly MappingPid[]): MappedDescription[] {
  return processes.flatMap(({ pid, hostPid, areas }) => openNamelessFiles(hostPid, areas).map((file) => ({ pid, ...file })));
}

const CLOCKS = { realtime: 0, monotonic: 1, boottime: 7 } as const;

/** The clocks as processes of the container see them, asked when one of them is first wanted: most programs have no timerfd. */
export function containerClocks(lane: ProgramRunner): ContainerClocks {
  let asked: ContainerClocks | undefined;
  const clocks = (): ContainerClocks => (asked ??= converse(lane, askClocks()));
  return {
    get realtime() {
      return clocks().realtime;
    },
    get monotonic() {
      return clocks().monotonic;
    },
    get boottime() {
      return clocks().boottime;
    },
  };
}

function* askClocks(): Conversation<ContainerClocks> {
  const times = Object.values(CLOCKS).map((clock) => ({ clock, time: new Uint8Array(16) }));
  yield times.map(({ clock, time }) => call('clock_gettime', clock, time));
  const [realtime = 0n, monotonic = 0n, boottime = 0n] = times.map(({ time }) => {
    const view = new DataView(time.buffer);
    return view.getBigInt64(0, true) * 1_000_000_000n + view.getBigInt64(8, true);
  });
  return { realtime, monotonic, boottime };
}

/** Gives a process the write end of the record pipe, which is a descriptor of pid 1, and the terminal that it keeps. */
export function recordPipeSender(
  lane: ProgramRunner,
  recordPipe: number,
  terminals: readonly KeptTerminal[],
): (pid: number, socket: number) => void {
  return (pid, socket) => {
    const kept = terminals.find(({ leader }) => leader === pid);
    const message = messageWithDescriptors([recordPipe, ...(kept === undefined ? [] : [kept.master, kept.slave])]);
    converse(lane, sendDescriptors(pid, socket, [message]));
  };
}

export interface PlannedMove extends MovePlan {
  readonly container: ContainerReference;
  /** This node. */
  readonly node: number;
}

export class LocalSourceParts implements SourceParts {
  private readonly job: PlannedMove;
  private readonly lane: ProgramRunner;
  private readonly reports: SourceReports;
  private ahead: FilesAhead | undefined;
  private capture: Capture | undefined;
  private pidfds: number[] = [];
  private moving: { pid: number; inside: ProgramRunner }[] = [];
  private terminals: readonly KeptTerminal[] = [];

  constructor(job: PlannedMove, lane: ProgramRunner, reports: SourceReports) {
    this.job = job;
    this.lane = lane;
    this.reports = reports;
  }

  captureFilesAhead(processes: readonly MappingPid[]): unknown {
    if (processes.some(({ areas }) => areas.some(isNamelessMapping))) return undefined;
    this.ahead = FilesAhead.capture(this.captureOptions(processes.map((process) => this.withPidfd(process))));
    return this.ahead?.image;
  }

  findPositions(): Position[] | undefined {
    const positions = this.ahead?.changes();
    if (positions === undefined) this.ahead?.close();
    if (positions === undefined) this.ahead = undefined;
    return positions;
  }

  letSignalsThrough(): void {
    this.reports.ask({ kind: 'let-signals-through', pids: this.pids });
  }

  keepSignalsBack(): void {
    this.reports.ask({ kind: 'keep-signals-back', pids: this.pids });
  }

  private get pids(): number[] {
    return this.job.moving.map(({ pid }) => pid);
  }

  verify(): void {
    this.checkFamily();
    this.ahead?.verify();
  }

  private withPidfd<Process extends MovingPid>(process: Process): Process & { pidfd: number } {
    const pidfd = pidfdOpen(process.hostPid);
    this.pidfds.push(pidfd);
    return { ...process, pidfd };
  }

  private captureOptions(processes: readonly MovingProcess[], mapped: readonly MappedDescription[] = []): CaptureOptions {
    return {
      processes,
      kinds: allKinds(this.relays),
      initHostPid: this.job.container.initPid,
      others: this.job.others,
      clocks: containerClocks(this.lane),
      relatives: new Set(),
      mapped,
    };
  }

  get contents(): Capture['bulk'] {
    return this.capture?.bulk ?? [];
  }

  captureFiles(processes: readonly (FrozenPid & MappingPid)[]): unknown {
    const moving = processes.map(({ remote, ...process }) => ({ ...this.withPidfd(process), inside: inProcess(remote) }));
    this.capture = captureFiles(this.captureOptions(moving, mappedBy(processes)));
    this.keepTerminals(this.capture.image);
    // Locks are free from here until the target takes them; the processes are frozen on both sides meanwhile.
    this.reports.givesUpLocks(locksOf(this.capture.image));
    this.capture.giveUpLocks();
    for (const files of this.capture.image.processes) {
      const runner = moving.find(({ pid }) => pid === files.pid)?.inside;
      if (runner !== undefined) giveUpRecordLocks(runner, files);
    }
    this.moving = moving;
    return this.capture.image;
  }

  /** While its session has husks here, so has its terminal: they cannot get it again. */
  private keepTerminals(image: Capture['image']): void {
    this.terminals = findControllingTerminals(image).map(({ leader, master, number }) =>
      converse(this.lane, keepPair(leader, master, number)),
    );
    if (this.terminals.length > 0) this.reports.keepsTerminals(this.terminals);
  }

  releaseTerminals(): void {
    const kept = this.terminals;
    if (kept.length === 0) return;
    this.terminals = [];
    // Their numbers may be given to others as soon as they are closed.
    this.reports.keepsTerminals([]);
    converse(this.lane, closePairs(kept));
  }

  committed(): void {
    this.reports.committed();
  }

  deflate({ pid }: MovingPid, remote: RemoteProcess): void {
    deflate(remote, { pid, sendRecordPipe: recordPipeSender(this.lane, this.job.container.recordPipe, this.terminals) });
  }

  retakeLocks(): void {
    this.capture?.retakeLocks();
    for (const files of this.capture?.image.processes ?? []) {
      const runner = this.moving.find(({ pid }) => pid === files.pid)?.inside;
      if (runner !== undefined) takeRecordLocks(runner, files);
    }
  }

  releaseFiles(): void {
    this.ahead?.close();
    this.capture?.close();
    for (const pidfd of this.pidfds) syscall('close', pidfd);
    this.pidfds = [];
  }

  private get relays(): RelaySource {
    const { node, relays } = this.job;
    return {
      node,
      known: relays,
      stop: (id) => this.reports.ask({ kind: 'stop', id }).state,
      begin: (direction, { holders: [holder] }) => {
        if (holder === undefined) throw new RangeError('a description that no process holds');
        const id = randomUUID();
        this.reports.ask({ kind: 'begin', relay: { id, direction, pid: holder.process.pid, fd: holder.fd } });
        return id;
      },
    };
  }

  /** What the target has made is right only for the family that it was told of. */
  private checkFamily(): void {
    const { family, container } = this.job;
    if (!isSameFamily(family, relativesOf(family.moving, new ContainerTable(container.procfs))))
      throw new KorriganError('KRG_PROCESS_BUSY', 'the family of the process changed while the move was being prepared; try again');
  }
}
