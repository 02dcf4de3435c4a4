/** What ghost workers are asked to do, and what they answer. Plain data: it crosses threads. */
import type { ArrivedRelay, KnownRelay } from '../streams/index.ts';
import type { AskedQuestion } from './relay-questions.ts';
import type { FamilyDescription } from '../proc/index.ts';
import type { MovingPid } from './parts.ts';
import type { MigrationReport } from './source.ts';

/** Where a worker finds the container. */
export interface ContainerReference {
  /** Host pid of pid 1. */
  initPid: number;
  /** Descriptor, in pid 1, of the write end of the husks' record pipe. */
  recordPipe: number;
  /** Directory of the container's procfs. */
  procfs: string;
}

export interface SourceJob {
  kind: 'source';
  container: ContainerReference;
  ticket: string;
  migration: string;
  host: string;
  port: number;
  moving: MovingPid[];
  /** As the target knows it. */
  family: FamilyDescription;
  /** Host pids of the container's processes that stay, pid 1 included. */
  others: number[];
  node: number;
  /** Relays of this node's processes. */
  relays: KnownRelay[];
}

export interface TargetJob {
  kind: 'target';
  container: ContainerReference;
  ticket: string;
  migration: string;
  host: string;
  node: number;
  /** The husks that become processes. */
  husks: MovingPid[];
  /** Cgroup into which those go that were not processes of this node before. */
  cgroup: string;
}

export type Job = SourceJob | TargetJob;

/** Answers, in this order: progress of a job, then its end. */
export type WorkerMessage =
  | { kind: 'listening'; port: number }
  /** The source's decision is taken: the processes belong to the target, before anything here ends. */
  /** The worker waits until the first word is 1: nothing here may end before the daemon knows that it means nothing. */
  | { kind: 'committed'; acknowledged: Int32Array }
  | AskedQuestion
  | { kind: 'moved'; report: MigrationReport }
  | { kind: 'arrived'; pids: MovingPid[]; relays: ArrivedRelay[] }
  | { kind: 'done' }
  | { kind: 'failed'; error: { code: string; message: string; stack?: string } };
