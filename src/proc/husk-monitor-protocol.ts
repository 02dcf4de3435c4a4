/** What the main thread and the monitor's thread tell each other. Plain data. */
import type { FamilyDescription } from './family-description.ts';
import type { ChildChange } from './husk-children.ts';
import type { TidyRequest } from './husk-monitor.ts';
import type { MonitorEvent } from './monitor-events.ts';

export interface MonitorWorkerData {
  /** Host pid of the container's pid 1. */
  readonly initPid: number;
  /** Directory of the container's procfs. */
  readonly procfs: string;
  /** Path of the group of husks. */
  readonly huskGroup: string;
  /** Lane of the container for this thread. */
  readonly lane: number;
  /** Descriptor, in pid 1, of the write end of the husks' record pipe. */
  readonly recordPipe: number;
}

/** The commands, with what each answers. */
export interface MonitorCommands {
  becomeTemplate(pid: number, hostPid: number): void;
  watch(pids: readonly number[]): void;
  forgetEnded(hostPids: readonly number[]): number[];
  adopt(pids: readonly number[]): void;
  release(pids: readonly number[]): void;
  discard(pids: readonly number[]): void;
  prepare(family: FamilyDescription, husks: readonly number[], template: number, group: string): number[];
  end(pid: number, status: number): void;
  stop(pid: number, signal: number): void;
  continue(pid: number): void;
  children(pid: number): ChildChange[];
  collect(pid: number): boolean;
  proxies(husks: readonly number[], visitors: readonly number[], present: ReadonlyMap<number, number>): Map<number, number>;
  deathSignal(pid: number): number;
  relate(pid: number, group: number): void;
  tidy(request: TidyRequest): number[];
  /** Queues signals to a running process; see deliverSignals. */
  deliver(pid: number, signals: readonly Uint8Array[], thread?: number): void;
}

export interface MonitorCommand {
  readonly id: number;
  readonly name: keyof MonitorCommands;
  readonly arguments: readonly unknown[];
}

export type MonitorMessage =
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly error: { code: string; message: string; stack?: string } }
  | { readonly kind: 'event'; readonly event: MonitorEvent };
