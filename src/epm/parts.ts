/**
 * What a migration needs from the modules below, as the two engines see it. Everything is synchronous, on the worker's thread.
 */
import type { BulkSource, LentDescriptors, Position } from '../fs/index.ts';
import type { RemoteProcess } from '../linux/index.ts';
import type { Area } from '../mm/index.ts';

/** One process that moves. */
export interface MovingPid {
  /** Cluster-wide pid. */
  pid: number;
  /** Its number in the daemon's pid namespace. */
  hostPid: number;
}

/** One process that moves and what it has mapped. */
export interface MappingPid extends MovingPid {
  areas: readonly Area[];
}

/** One process that moves, held. */
export interface FrozenPid extends MovingPid {
  remote: RemoteProcess;
}

/** The source's side of proc and fs. */
export interface SourceParts {
  /** Descriptors of the running processes, where they can be told before the freeze; undefined where not. */
  captureFilesAhead(processes: readonly MappingPid[]): unknown;
  /** What has changed of descriptors that were captured ahead; undefined when they must be captured, as there were none or too much has. */
  findPositions(): Position[] | undefined;
  /** Descriptors of the frozen processes, and files without a name that they have mapped. */
  captureFiles(processes: readonly (FrozenPid & MappingPid)[]): unknown;
  /** Contents of captured files that travel beside the image. */
  readonly contents: readonly BulkSource[];
  /** Signals that wait for the processes here are brought to them, until {@link SourceParts.keepSignalsBack}: somebody may be at work on them. */
  letSignalsThrough(): void;
  keepSignalsBack(): void;
  /** What can be looked at while the target is at work already. @throws KorriganError when the processes cannot move after all */
  verify(): void;
  /** The processes run on the target: the daemon knows when this returns. What is left of them here has not changed yet. */
  committed(): void;
  /** Makes the captured process a husk in place and lets go of it. */
  deflate(process: MovingPid, remote: RemoteProcess): void;
  /** The move was given up: locks that capture gave up are taken again, before the processes go on. */
  retakeLocks(): void;
  /** What capture held is given back. */
  releaseFiles(): void;
  /** Pid 1 lets go of the terminals of the processes: these go on here, or their husks have them. */
  releaseTerminals(): void;
}

/** A husk that is held for inflation. */
export interface HeldHusk {
  remote: RemoteProcess;
  /** Memory of the husk itself: kept while the process is restored, unmapped at the end. */
  own: readonly { start: number; end: number }[];
  /** It was this process before. */
  returning: boolean;
}

/** Told what each process was lent, before it takes its record locks. */
export type Lend = (pid: number, lent: LentDescriptors) => void;

/** The target's side. */
export interface TargetParts {
  /** Holds the husks that become processes. @throws KorriganError; none is held then */
  holdHusks(): void;
  /**
   * Returns when the processes, which still run elsewhere, have got what their husks here have recorded.
   * @throws KorriganError KRG_PROCESS_BUSY when they do not get it
   */
  awaitSignals(): void;
  /** The husk that becomes the process. */
  takeHusk(pid: number): HeldHusk;
  /** Makes the root of the container the working directory of a husk. */
  enterContainerRoot(pid: number, husk: RemoteProcess): void;
  /** Makes the next process or thread of the container get this id, unless another is born first. */
  chooseNextPid(pid: number): void;
  /** As {@link TargetParts.installFiles}, before the freeze; all is kept until the positions or other files come. */
  installFilesAhead(files: unknown, processes: ReadonlyMap<number, RemoteProcess>, lend: Lend): void;
  /** Pid 1 lets go of what was installed ahead; the processes keep it. */
  releaseFiles(): void;
  /** Completes what was installed ahead. */
  setPositions(positions: readonly (readonly [description: number, position: number])[]): void;
  /** Opens all descriptions and gives every process its descriptors. */
  installFiles(files: unknown, processes: ReadonlyMap<number, RemoteProcess>, lend: Lend): void;
  /** Contents of a file that was installed. */
  writeContents(object: number, offset: number, native: number, length: number): void;
  /** All contents and mappings are there. */
  sealFiles(): void;
  /** The processes are complete and held by nobody of this thread any more; what is left to decide is not about them. */
  letGo(): void;
  /** The processes run here: pid 1 lets go of the terminals that the husks of leaders had got, or kept. */
  releaseTerminals(): void;
  /** Lets go of everything: what a process has become so far waits, and must be settled. */
  discard(): void;
}
