/** What the main thread and the watching worker tell each other. */
import type { TrappedCallInFlight } from '../../container/index.ts';
import type { NotificationAnswer } from '../../linux/index.ts';

export interface WatchWorkerData {
  /** Host pid of the container's pid 1. */
  readonly initPid: number;
  /** Descriptors of this process; the worker only waits for them. */
  readonly reaper: number;
  readonly listener: number;
  /** An eventfd: there are commands in the port. */
  readonly bell: number;
  /** See SharedPids. */
  readonly husks: SharedArrayBuffer;
}

export type WatchCommand =
  | { readonly kind: 'answer'; readonly slot: number; readonly id: bigint; readonly answer: NotificationAnswer }
  /** It is known which processes are husks. */
  | { readonly kind: 'husks-known' }
  | { readonly kind: 'stop' };

export type WatchEvent =
  /** The reaper has put someone into its ring. */
  | { readonly kind: 'reaped' }
  | { readonly kind: 'trapped'; readonly call: TrappedCallInFlight }
  /** All calls were told that had been made before this worker began. */
  | { readonly kind: 'caught-up' };
