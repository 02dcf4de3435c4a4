/** The source's side of proc and fs, for the engine in source.ts. */
import { call, type Conversation, converse, inProcess, KorriganError, messageWithDescriptors, pidfdOpen, type ProgramRunner, readProcessFile, type RemoteProcess, syscall } from '../linux/index.ts';
import { type Capture, captureFiles, type ContainerClocks, fileKinds, giveUpRecordLocks, type Kind, refusedKind, takeRecordLocks } from '../fs/index.ts';
import { sendDescriptors } from '../container/index.ts';
import { streamKinds } from '../streams/index.ts';
import { deflate, type Relations } from '../proc/index.ts';
import type { SourceJob } from './jobs.ts';
import type { MovingPid, SourceParts } from './parts.ts';

/** All kinds of files, in the order in which they are tried. */
export const ALL_KINDS: readonly Kind[] = [...streamKinds, ...fileKinds, refusedKind];
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

/** Gives a process the write end of the record pipe, which is a descriptor of pid 1. */
export function recordPipeSender(lane: ProgramRunner, recordPipe: number): (pid: number, socket: number) => void {
  return (pid, socket) => converse(lane, sendDescriptors(pid, socket, [messageWithDescriptors([recordPipe])]));
}

export class LocalSourceParts implements SourceParts {
  private readonly job: SourceJob;
  private readonly lane: ProgramRunner;
  private readonly onCommitted: () => void;
  private capture: Capture | undefined;
  private pidfds: number[] = [];
  private moving: { pid: number; inside: ProgramRunner }[] = [];

  /** @param onCommitted is told once the processes belong to the target, before what stays behind changes */
  constructor(job: SourceJob, lane: ProgramRunner, onCommitted: () => void) {
    this.job = job;
    this.lane = lane;
    this.onCommitted = onCommitted;
  }

  describeFamily(): Relations[] {
    return this.job.relations;
  }

  captureFiles(processes: readonly (MovingPid & { remote: RemoteProcess })[]): unknown {
    this.checkFamily(processes);
    const moving = processes.map(({ pid, hostPid, remote }) => {
      const pidfd = pidfdOpen(hostPid);
      this.pidfds.push(pidfd);
      return { pid, hostPid, pidfd, inside: inProcess(remote) };
    });
    this.capture = captureFiles({
      processes: moving,
      kinds: ALL_KINDS,
      initHostPid: this.job.container.initPid,
      others: this.job.others,
      clocks: containerClocks(this.lane),
      relatives: new Set(),
    });
    if (this.capture.bulk.length > 0) throw new KorriganError('KRG_NOT_MOVABLE', 'a large file that exists only while it is open cannot move yet');
    // Locks are free from here until the target takes them; the processes are frozen on both sides meanwhile.
    this.capture.giveUpLocks();
    for (const files of this.capture.image.processes) {
      const runner = moving.find(({ pid }) => pid === files.pid)?.inside;
      if (runner !== undefined) giveUpRecordLocks(runner, files);
    }
    this.moving = moving;
    return this.capture.image;
  }

  record(): void {
    // The decision outlives this worker in the daemon's memory only: see CONTRIBUTING, "What is missing".
  }

  deflate({ pid }: MovingPid, remote: RemoteProcess): void {
    this.onCommitted();
    if (!this.job.homePids.includes(pid)) {
      remote.kill();
      return;
    }
    deflate(remote, { pid, sendRecordPipe: recordPipeSender(this.lane, this.job.container.recordPipe) });
  }

  retakeLocks(): void {
    this.capture?.retakeLocks();
    for (const files of this.capture?.image.processes ?? []) {
      const runner = this.moving.find(({ pid }) => pid === files.pid)?.inside;
      if (runner !== undefined) takeRecordLocks(runner, files);
    }
  }

  releaseFiles(): void {
    this.capture?.close();
    for (const pidfd of this.pidfds) syscall('close', pidfd);
    this.pidfds = [];
  }

  /** A child that was born after the family was described has no place on the target. */
  private checkFamily(processes: readonly (MovingPid & { remote: RemoteProcess })[]): void {
    const known = new Map(this.job.relations.map((relations) => [relations.pid, relations]));
    const inMove = new Set(processes.map(({ hostPid }) => hostPid));
    for (const { pid, remote } of processes) {
      const children = remote.threads
        .flatMap(({ tracee }) => (readProcessFile(remote.pid, `task/${tracee.tid}/children`) ?? '').split(' '))
        .filter(Boolean)
        .map(Number);
      const others = children.filter((child) => !inMove.has(child));
      if (others.length !== (known.get(pid)?.childrenLeft.length ?? 0)) {
        throw new KorriganError('KRG_PROCESS_BUSY', `process ${pid} made or lost a child while the move was being prepared; try again`);
      }
    }
  }
}
