/** What ghost workers are asked to do, and what they answer. Plain data: it crosses threads. */
import type { Given } from '../capability/index.ts';
import type { KnownRelay } from '../streams/index.ts';
import type { FamilyDescription } from '../proc/index.ts';
import type { FamilyToHold } from './held-family.ts';
import type { MovingPid } from './parts.ts';
import type { Asked } from './questions.ts';
import type { Settlement } from './settle.ts';
import type { MigrationReport } from './source.ts';
import type { AskedQuestion } from './worker-questions.ts';

/** Where a worker finds the container. */
export interface ContainerReference {
  /** Host pid of pid 1. */
  initPid: number;
  /** Descriptor, in pid 1, of the write end of the husks' record pipe. */
  recordPipe: number;
  /** Path of the group of groups of processes. */
  processGroups: string;
  /** Directory of the container's procfs. */
  procfs: string;
}

/** What moves, and where the target waits for it. */
export interface MovePlan {
  /** See ticket.ts. */
  ticket: string;
  host: string;
  port: number;
  moving: MovingPid[];
  /** As the target knows it. */
  family: FamilyDescription;
  /** Host pids of the container's processes that stay, pid 1 included. */
  others: number[];
  /** Relays of this node's processes. */
  relays: KnownRelay[];
}

export interface SourceJob {
  kind: 'source';
  container: ContainerReference;
  /** Of the journal. */
  slot: number;
  migration: string;
  node: number;
  /** Made while the processes run; or the family to hold still, for which the plan is asked for then. */
  work: MovePlan | FamilyToHold;
}

/** What a process that moves was given (src/capability). */
export interface CarriedCapabilities {
  pid: number;
  given: Given;
}

/** A family is held still: the worker waits for the plan of its move. */
export interface AskedForPlan extends Asked {
  kind: 'plan';
  moving: MovingPid[];
}

export interface TargetJob {
  kind: 'target';
  container: ContainerReference;
  /** Of the journal. */
  slot: number;
  ticket: string;
  migration: string;
  host: string;
  node: number;
  /** The husks that become processes. */
  husks: MovingPid[];
  capabilities: CarriedCapabilities[];
}

/** Does what is left to do for a move in the journal. */
export interface SettleJob {
  kind: 'settle';
  container: ContainerReference;
  slot: number;
  settlement: Settlement;
}

/** Takes memory of ours away that a killed daemon has left in processes. */
export interface TidyJob {
  kind: 'tidy';
  hostPids: number[];
}

export type Job = SettleJob | TidyJob | SourceJob | TargetJob;

/** Answers, in this order: progress of a job, then its end. */
export type WorkerMessage =
  /** First of all. */
  | { kind: 'ready' }
  | { kind: 'listening'; port: number }
  /** The source's decision is taken: the processes belong to the target, before anything here ends. The worker waits until the first word is 1: nothing here may end before the daemon knows that it means nothing. */
  | { kind: 'committed'; acknowledged: Int32Array }
  | AskedQuestion
  | AskedForPlan
  | { kind: 'moved'; report: MigrationReport }
  /** The processes were handed over, but the target has not confirmed it. */
  | { kind: 'unconfirmed' }
  | { kind: 'arrived'; pids: MovingPid[] }
  /** They are complete and frozen; the source's decision is not known. */
  | { kind: 'undecided'; pids: MovingPid[] }
  | { kind: 'done' }
  | { kind: 'failed'; error: { code: string; message: string; stack?: string } };
