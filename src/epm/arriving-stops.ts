/**
 * Stops by job control of processes that arrive. Each is stopped, or has gone on, as it was, and its parent hears what it has not heard yet, and nothing twice.
 *
 * A parent that arrives, too, is completed after its children: until its actions are restored it gets no signal for what is done to them. Any
 * other is told by the kernel what is true already: its process, on whatever node, has been told or is just being told.
 */
import { KorriganError, type RemoteProcess } from '../linux/index.ts';
import {
  enterGroupStop,
  jobControlSignals,
  type JobControlSignals,
  keepChangesBack,
  leaveGroupStop,
  type ProcessImage,
  queueAgain,
  takeChange,
} from '../ghost/index.ts';

const SIGCONT = 18;
const SIGSTOP = 19;

/** What is known of a process, and of its husk. */
export interface StopState {
  /** Its stopping signal, else 0. */
  readonly stopped: number;
  /** Its husk is stopped. */
  readonly isHuskStopped: boolean;
  /** Its parent arrives, too. */
  readonly withParent: boolean;
  /** The parent has not taken the status of its stop, or of its continuation. */
  readonly isUntaken: boolean;
}

/** In this order. */
export interface StopPlan {
  /** The husk goes on. */
  readonly goesOn: boolean;
  /** It is stopped and goes on, for the parent to be told. */
  readonly hasGoneOn: boolean;
  /** It is stopped, once it has its threads: those that are born later would be stopped before they are what they were. */
  readonly stops: boolean;
  /** The parent takes the status. */
  readonly isTaken: boolean;
}

/** What has to be done to a husk that becomes its process, apart from restoring it. */
export function planStops({ stopped, isHuskStopped, withParent, isUntaken }: StopState): StopPlan {
  // A stopped husk that must stay so has told its parent, which lives here, or would hear of it again.
  const goesOn = isHuskStopped && (withParent || stopped === 0);
  const stops = stopped !== 0 && (goesOn || !isHuskStopped);
  const hasGoneOn = withParent && stopped === 0 && isUntaken && !goesOn;
  return { goesOn, hasGoneOn, stops, isTaken: withParent && (goesOn || stops) && !isUntaken };
}

/** A process that arrives, its memory in place and the rest not restored yet. */
export interface StoppingProcess {
  readonly image: ProcessImage;
  readonly remote: RemoteProcess;
  readonly isHuskStopped: boolean;
}

export class ArrivingStops {
  private readonly find: (pid: number) => StoppingProcess | undefined;
  /** Parents that get no signals of their children. */
  private readonly kept = new Set<number>();
  /** SIGCONT that came for a process before it was stopped here, and after it was stopped on the source. */
  private readonly continued = new Map<number, JobControlSignals>();

  /** @param find a process that arrives in the same move, once its image is known */
  constructor(find: (pid: number) => StoppingProcess | undefined) {
    this.find = find;
  }

  /**
   * Restores a process, which is no parent of any that is still to be restored, and stops it.
   * @throws KorriganError KRG_NOT_MOVABLE
   */
  complete(process: StoppingProcess, restore: () => void): void {
    const { image, remote, isHuskStopped } = process;
    const { pid, stopped, threads } = image;
    const parent = this.find(image.parent);
    const change = parent?.image.changedChildren.find((changed) => changed.pid === pid);
    const withParent = parent !== undefined;
    const plan = planStops({ stopped, isHuskStopped, withParent, isUntaken: change?.isTaken === false });
    if (isHuskStopped && !plan.goesOn && threads.length > 1) {
      const reason = 'it is stopped, has several threads, and comes to where its parent has been told of that; continue it first';
      throw new KorriganError('KRG_NOT_MOVABLE', `process ${pid} cannot move: ${reason}`);
    }
    if (parent !== undefined && (plan.goesOn || plan.hasGoneOn || plan.stops)) this.keepBack(parent);
    if (plan.goesOn || plan.hasGoneOn) this.goOn(remote, pid, plan.hasGoneOn);
    // With the default action of SIGCONT the kernel throws away what waits, and the stop does so in any case.
    const before = plan.stops ? jobControlSignals(remote) : undefined;
    restore();
    if (before !== undefined) {
      this.noteContinuations(pid, [jobControlSignals(remote), before]);
      enterGroupStop(remote, pid, stopped);
    }
    if (parent !== undefined && plan.isTaken) takeChange(parent.remote, pid);
  }

  /** All are restored: who was told to go on before it was stopped does so. */
  finish({ image: { pid }, remote }: StoppingProcess): void {
    const continuations = this.continued.get(pid);
    if (continuations !== undefined) queueAgain(remote, pid, continuations);
  }

  /** @param seen what waited at different times, the latest first */
  private noteContinuations(pid: number, seen: readonly JobControlSignals[]): void {
    const found = seen
      .map(({ shared, thread }) => ({ shared: shared.filter(isContinuation), thread: thread.filter(isContinuation) }))
      .find(({ shared, thread }) => shared.length + thread.length > 0);
    if (found !== undefined) this.continued.set(pid, found);
  }

  private keepBack({ image: { pid }, remote }: StoppingProcess): void {
    if (this.kept.has(pid)) return;
    keepChangesBack(remote);
    this.kept.add(pid);
  }

  /** What else has come of job control is still to have its effect. */
  private goOn(remote: RemoteProcess, pid: number, stopsFirst: boolean): void {
    const waiting = jobControlSignals(remote);
    if (stopsFirst) enterGroupStop(remote, pid, SIGSTOP);
    leaveGroupStop(remote, pid);
    queueAgain(remote, pid, waiting);
  }
}

function isContinuation(information: Uint8Array): boolean {
  return new DataView(information.buffer, information.byteOffset).getInt32(0, true) === SIGCONT;
}
