/**
 * A process, or all that is below it, held still: from the moment when all are stopped nothing about the family changes but by its end. Belongs
 * to the thread that makes it.
 */
import { isDeath, KorriganError, PidNamespace, RemoteProcess } from '../linux/index.ts';
import { captureWaits, type ObservedThreads, observeThreads, releaseWaiting } from '../ghost/index.ts';
import { ContainerTable, isHusk, treeBelow } from '../proc/index.ts';
import type { ContainerReference } from './jobs.ts';
import type { FrozenPid, MovingPid } from './parts.ts';
import { realTime } from './real-time.ts';

export interface HeldPid extends FrozenPid {
  /** From before it was stopped. */
  observed: ObservedThreads;
}

export interface FamilyToHold {
  readonly root: MovingPid;
  readonly withTree: boolean;
}

/** How long a process may take to stop: who waits for the end of a vfork(2) does so when the child, which is stopped after it, has got there. */
const STOP_MILLISECONDS = 2000;
/** Looks at a tree that is growing; who is stopped has no more children, so that each finds only the children of those found by the last. */
const LOOKS = 1000;

export class HeldFamily implements Disposable {
  private readonly held: HeldPid[] = [];
  private isHandedOver = false;
  /** When the first was stopped, in nanoseconds of CLOCK_REALTIME. */
  readonly since = realTime();

  private constructor() {
    // see hold()
  }

  /** @throws KorriganError KRG_NO_SUCH_PROCESS when the root has ended, KRG_CANNOT_STOP, KRG_TRACED, KRG_PROCESS_BUSY; all go on then */
  static hold({ root, withTree }: FamilyToHold, container: ContainerReference): HeldFamily {
    const family = new HeldFamily();
    try {
      family.stopAll(root, withTree, container);
      return family;
    } catch (error) {
      family[Symbol.dispose]();
      throw error;
    }
  }

  /** Parents before their children. */
  get processes(): readonly HeldPid[] {
    return this.held;
  }

  /** Somebody else lets them go on, or ends them. */
  handOver(): readonly HeldPid[] {
    this.isHandedOver = true;
    return this.held;
  }

  [Symbol.dispose](): void {
    if (this.isHandedOver) return;
    for (const process of this.held) releaseUnchanged(process);
  }

  private stopAll(root: MovingPid, withTree: boolean, { initPid, procfs }: ContainerReference): void {
    const table = new ContainerTable(procfs);
    using namespace = new PidNamespace(initPid);
    const known = new Set<number>();
    for (let look = 0; look < LOOKS; look++) {
      const missing = (withTree ? treeBelow(root.pid, table) : [root.pid]).filter((pid) => !known.has(pid));
      if (missing.length === 0) return;
      for (const pid of missing) {
        known.add(pid);
        const hostPid = namespace.toHere(pid);
        if (hostPid !== undefined && !isHusk(hostPid)) this.stop({ pid, hostPid }, pid === root.pid);
      }
      if (this.held.length === 0) throw new KorriganError('KRG_NO_SUCH_PROCESS', `there is no process ${root.pid} on this node`);
    }
    throw new KorriganError('KRG_PROCESS_BUSY', `the processes below ${root.pid} become more faster than they can be stopped`);
  }

  private stop(process: MovingPid, isRoot: boolean): void {
    const observed = observeThreads(process.hostPid);
    try {
      this.held.push({ ...process, observed, remote: RemoteProcess.stop(process.hostPid, { deadlineMs: STOP_MILLISECONDS }) });
    } catch (error) {
      // One that has just ended is its parent's to collect, on whatever node.
      if (isRoot || !isDeath(error)) throw error;
    }
  }
}

/** A process in which nothing has run yet goes on; what it waits for ends at its time, where the kernel tells that. */
export function releaseUnchanged({ remote, observed }: HeldPid): void {
  let waits: ReturnType<typeof captureWaits> = [];
  try {
    waits = captureWaits(remote, observed);
  } catch (error) {
    if (!(error instanceof KorriganError) && !isDeath(error)) throw error;
  }
  try {
    releaseWaiting(remote, waits);
  } catch (error) {
    remote.leave();
    if (!isDeath(error)) throw error;
  }
}
