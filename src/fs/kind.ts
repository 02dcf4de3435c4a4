/**
 * What a kind of open file must know: how it is recognised, captured on the node that it leaves, and restored on the node where
 * it arrives. Each kind stands in one file with both halves; the engines in capture.ts and store.ts know no kind by name.
 */
import type { z } from 'zod';
import type { Conversation, DescriptorInfo } from '../linux/index.ts';
import type { Descriptor, Extent, FileIdentity, OpenDescription } from './image.ts';
import type { OutsideHolders } from './outside.ts';
import type { MovingProcess, OpenFile } from './survey.ts';
import type { Outcome, VerdictCode } from './verdict.ts';

/** Nanoseconds on the clocks that timers use, as the processes of the container see them. */
export interface ContainerClocks {
  readonly monotonic: bigint;
  readonly boottime: bigint;
  readonly realtime: bigint;
}

/** What the capture half may ask. */
export interface CaptureContext {
  readonly processes: readonly MovingProcess[];
  readonly files: readonly OpenFile[];
  /** False while processes are only examined: contents are left out and nothing is consumed. */
  readonly contents: boolean;
  /** Folder through which this process sees the container's file tree, without a slash at its end. */
  readonly containerRoot: string;
  readonly clocks: ContainerClocks;
  /** fdinfo of a description. */
  info(file: OpenFile): DescriptorInfo;
  outside(file: OpenFile): OutsideHolders;
  /**
   * A process that stays and has mapped a file which has no name, as this process sees it.
   * @param canWrite whether processes that move can write the file: if not, private mappings of others do not count
   */
  whoMappedOutside(file: OpenFile, canWrite: boolean): number | undefined;
  /** Whether the target node has this process of the container: as one that moves along or as a husk. */
  isKnownThere(pid: number): boolean;
  /** Pid inside the container of a pid as this process sees it; 0 when it is not there. */
  pidInside(hostPid: number): number;
}

/** What the restore half may ask. */
export interface RestoreContext {
  readonly clocks: ContainerClocks;
  readonly objects: ReadonlyMap<number, readonly number[]>;
  /** Descriptors in pid 1, by description; complete when `finish` runs. */
  readonly descriptions: ReadonlyMap<number, number>;
  /** Descriptors in pid 1 of what the husks of processes that arrive have kept for them, by pid. */
  readonly kept: ReadonlyMap<number, readonly number[]>;
}

/** What several descriptions share. */
export interface ObjectKind<State> {
  readonly schema: z.ZodType<State>;
  /** Equal for descriptions of one object. */
  key(file: OpenFile, context: CaptureContext): string;
  /** @param files all descriptions of the object that move */
  capture(files: readonly OpenFile[], context: CaptureContext): Conversation<State>;
  /**
   * Makes it in pid 1.
   * @param made descriptors in pid 1 of what `make` made; empty where there is no `make` or the node cannot let a process run it
   * @returns descriptors that stand for it; what they mean is the kind's own affair
   */
  restore(state: State, context: RestoreContext, made: readonly number[]): Conversation<readonly number[]>;
  /** For what the kernel says by whom it was made: runs inside a process that arrives, which still has the rights of pid 1. */
  readonly make?: {
    /** Pid of the one who made it, which may be none of those that arrive. */
    by(state: State): number;
    run(state: State): Conversation<readonly number[]>;
  };
  /** After all descriptions exist, e.g. to fill a queue. */
  finish?(state: State, descriptors: readonly number[], context: RestoreContext): Conversation<void>;
  /** Contents that travel beside the image, read and written through the first descriptor of the object. */
  bulk?(state: State): readonly Extent[];
  /** After it has all its contents and is mapped wherever it was. */
  seal?(state: State, descriptors: readonly number[]): Conversation<void>;
}

/** The table of a process whose descriptors have just got their numbers. */
export interface InstalledTable {
  readonly descriptors: ReadonlyMap<number, Descriptor>;
  /** The number of a description that was asked for by `needs`, beyond the process's own numbers. */
  extra(description: number): number;
  /** A number that is free. */
  readonly spare: number;
}

export interface Kind<State = unknown, ObjectState = unknown> {
  readonly name: string;
  readonly schema: z.ZodType<State>;
  readonly object?: ObjectKind<ObjectState>;
  /** The first kind that says yes takes the file. */
  matches(file: OpenFile, context: CaptureContext): boolean;
  /** @throws Refusal */
  capture(file: OpenFile, context: CaptureContext): Conversation<State>;
  /** Opens it in pid 1 with the description's flags. @param objects the descriptors of its object */
  restore(state: State, description: OpenDescription, objects: readonly number[], context: RestoreContext): Conversation<number>;
  /** After all descriptions exist. */
  finish?(state: State, fd: number, context: RestoreContext): Conversation<void>;
  /** Descriptions that `install` must reach. */
  needs?(state: State): readonly number[];
  /** Runs inside one process that holds it under `fd`, after all descriptors have their numbers. */
  install?(state: State, fd: number, table: InstalledTable): Conversation<void>;
  /**
   * For kinds whose state may be captured while the processes run: whether this one stays true, but for the position, as long as the same
   * description has the same flags.
   */
  isSteady?(state: State, file: OpenFile): boolean;
  /** When it is not simply `moves`. */
  outcome?(state: State): { readonly outcome: Outcome; readonly code: VerdictCode; readonly reason: string };
  /** File that the target must see as the source does. */
  identity?(state: State): FileIdentity | undefined;
}

/** Keeps a kind's state types to itself: the engines pass states on without looking at them. */
export function defineKind<State, ObjectState = never>(kind: Kind<State, ObjectState>): Kind {
  return kind;
}
