/** What the main thread asks the thread that reads the node's procfs. */
import type { Identity } from '../linux/index.ts';
import type { NodeId } from '../rpc/index.ts';
import type { Look } from './messages.ts';
import type { NodeFile } from './places.ts';

export interface ReaderWorkerData {
  /** Host pid of the container's pid 1. */
  readonly initPid: number;
  readonly node: NodeId;
  /** Of the container, for this thread alone. */
  readonly lane: number;
}

export type ReaderQuestion =
  | { readonly kind: 'list' }
  | { readonly kind: 'look'; readonly caller: Identity; readonly look: Look }
  | { readonly kind: 'node'; readonly files: readonly NodeFile[] };

export type ReaderAnswer<Kind extends ReaderQuestion['kind']> = Kind extends 'list'
  ? number[]
  : Kind extends 'look'
    ? Uint8Array | undefined
    : string[];

export interface ReaderMessage {
  readonly id: number;
  readonly question: ReaderQuestion;
}

export type ReaderReply = { readonly id: number } & ({ readonly value: unknown } | { readonly error: unknown });
