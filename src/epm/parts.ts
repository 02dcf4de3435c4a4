/**
 * What a migration needs from the modules below, as the two engines see it. Everything is synchronous, on the worker's thread.
 */
import type { RemoteProcess } from '../linux/index.ts';

/** One process that moves. */
export interface MovingPid {
  /** Cluster-wide pid. */
  pid: number;
  /** Its number in the daemon's pid namespace. */
  hostPid: number;
}

/** The source's side of proc and fs. */
export interface SourceParts {
  /** Descriptors of the frozen processes. */
  captureFiles(processes: readonly (MovingPid & { remote: RemoteProcess })[]): unknown;
  /** Makes the captured process a husk in place and lets go of it. */
  deflate(process: MovingPid, remote: RemoteProcess): void;
  /** The move was given up: locks that capture gave up are taken again, before the processes go on. */
  retakeLocks(): void;
  /** What capture held is given back. */
  releaseFiles(): void;
}

/** A husk that is held for inflation. */
export interface HeldHusk {
  remote: RemoteProcess;
  /** Memory of the husk itself: kept while the process is restored, unmapped at the end. */
  own: readonly { start: number; end: number }[];
  /** It was this process before. */
  returning: boolean;
}

/** The target's side. */
export interface TargetParts {
  /** Holds the husks that become processes. @throws KorriganError; none is held then */
  holdHusks(): void;
  /** The husk that becomes the process. */
  takeHusk(pid: number): HeldHusk;
  /** Opens all descriptions and gives every process its descriptors. */
  installFiles(files: unknown, processes: ReadonlyMap<number, RemoteProcess>): void;
  /** The processes run. */
  finish(): void;
  /** Removes whatever was made. */
  discard(): void;
}
