/** The target's side of proc and fs, for the engine in target.ts. */
import { inProcess, KorriganError, PidNamespace, type ProgramRunner, RemoteProcess, syscall } from '../linux/index.ts';
import { DescriptorStore, type FilesImage, filesImageSchema, installFiles, takeRecordLocks } from '../fs/index.ts';
import { deflate, type FamilyStep, HUSK_MEMORY, holdHusk, resumeHusk } from '../proc/index.ts';
import { findArrivedRelays, type RelayHome } from '../streams/index.ts';
import { allKinds, containerClocks, recordPipeSender } from './source-parts.ts';
import type { TargetJob } from './jobs.ts';
import type { RelayAnswer, RelayQuestion } from './relay-questions.ts';
import type { HeldHusk, MovingPid, TargetParts } from './parts.ts';

const CLONE_ARGS_SIZE = 88;
const FORK_REGION = 8192;
/** As long as the launcher's children take to begin. */
const APPEARANCE_MILLISECONDS = 2000;

interface Made extends HeldHusk {
  pid: number;
}

export class LocalTargetParts implements TargetParts {
  private readonly job: TargetJob;
  private readonly lane: ProgramRunner;
  private readonly made = new Map<number, Made>();
  private readonly ask: (question: RelayQuestion) => RelayAnswer;
  private readonly home: RelayHome;
  private store: DescriptorStore | undefined;
  /** Those that run, for the daemon. */
  readonly arrivals: MovingPid[] = [];

  constructor(job: TargetJob, lane: ProgramRunner, ask: (question: RelayQuestion) => RelayAnswer) {
    this.job = job;
    this.ask = ask;
    this.home = { node: job.node, comeHome: (state, waiting) => ask({ kind: 'come-home', state, waiting }).original };
    this.lane = lane;
  }

  prepareFamily(): void {
    try {
      for (const step of this.job.steps) this.take(step);
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  takeHusk(pid: number): HeldHusk {
    const husk = this.made.get(pid);
    if (husk === undefined) throw new KorriganError('KRG_PEER_PROTOCOL', `process ${pid} is not part of this migration`);
    return husk;
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
    store.finish();
    for (const process of files.processes) {
      const remote = processes.get(process.pid);
      if (remote === undefined) throw new KorriganError('KRG_PEER_PROTOCOL', `the image names process ${process.pid}, which does not move`);
      installFiles({ store, files: process, inside: inProcess(remote), lane: this.lane });
      takeRecordLocks(inProcess(remote), process);
    }
    return store;
  }

  releaseFiles(): void {
    this.store?.release();
    this.store = undefined;
  }

  letGo(): void {
    // Files that were installed ahead stand in pid 1 until their positions are known.
    this.releaseFiles();
    for (const { pid, remote } of this.made.values()) this.arrivals.push({ pid, hostPid: remote.pid });
    this.made.clear();
  }

  discard(): void {
    this.store?.release();
    for (const { pid, remote, returning } of this.made.values()) {
      if (!returning) {
        remote.kill();
      } else if (remote.hasRegion && remote.regionAddress === HUSK_MEMORY.start) {
        resumeHusk(remote); // nothing of it was changed yet
      } else if (remote.hasRegion) {
        deflate(remote, { pid, sendRecordPipe: recordPipeSender(this.lane, this.job.container.recordPipe) });
      }
    }
    this.made.clear();
  }

  private take(step: FamilyStep): void {
    switch (step.kind) {
      case 'return': {
        const remote = holdHusk(this.hostPid(step.pid));
        this.made.set(step.pid, { pid: step.pid, remote, own: [HUSK_MEMORY], returning: true });
        return;
      }
      case 'spawn': {
        const remote = RemoteProcess.stop(this.hostPid(step.pid));
        remote.openRegion(FORK_REGION);
        this.made.set(step.pid, { pid: step.pid, remote, own: [], returning: false });
        return;
      }
      case 'fork':
        this.fork(step.pid, step.parent, step.exitSignal);
        return;
      case 'new-session':
        this.remote(step.pid).stepSystemCall('setsid');
        return;
      case 'join-group':
        this.remote(step.pid).stepSystemCall('setpgid', step.pid, step.group);
        return;
    }
  }

  /** The parent makes its child itself, which then waits in a copy of the parent's memory to be held. */
  private fork(pid: number, parentPid: number, exitSignal: number): void {
    const parent = this.takeHusk(parentPid);
    const program = parent.remote.newProgram({ records: 6, data: 128 });
    const wanted = program.data(new Uint8Array(Int32Array.of(pid).buffer));
    const forever = program.data(8);
    const args = new Uint8Array(CLONE_ARGS_SIZE);
    const view = new DataView(args.buffer);
    view.setBigUint64(32, BigInt(exitSignal), true);
    view.setBigUint64(64, BigInt(wanted), true);
    view.setBigUint64(72, 1n, true);
    const spawn = program.operation('spawn', program.data(args), CLONE_ARGS_SIZE, 0);
    const jump = program.operation('jump', 0);
    program.patch(spawn, 2, program.addressOfRecord(program.length));
    program.operation('waitWhileEqual', forever, 0);
    program.patch(jump, 0, program.addressOfRecord(program.length));
    parent.remote.run(program);
    const hostPid = this.find(pid);
    const remote = RemoteProcess.stop(hostPid);
    remote.useRegion(parent.remote.regionAddress, parent.remote.regionSize);
    this.made.set(pid, { pid, remote, own: [], returning: false });
  }

  private find(pid: number): number {
    const namespace = new PidNamespace(this.job.container.initPid);
    try {
      const deadline = performance.now() + APPEARANCE_MILLISECONDS;
      for (;;) {
        const hostPid = namespace.toHere(pid);
        if (hostPid !== undefined) return hostPid;
        if (performance.now() > deadline) throw new KorriganError('KRG_INTERNAL', `process ${pid} was made but does not appear`);
        syscall('sched_yield');
      }
    } finally {
      namespace[Symbol.dispose]();
    }
  }

  private remote(pid: number): RemoteProcess {
    return this.takeHusk(pid).remote;
  }

  private hostPid(pid: number): number {
    const found = this.job.hostPids.find(([candidate]) => candidate === pid);
    if (found === undefined) throw new KorriganError('KRG_INTERNAL', `nothing was made for process ${pid}`);
    return found[1];
  }
}
