/** What the thread that serves /proc and the main thread tell each other: the first asks for what is not of this node alone. */
import type { Identity } from '../linux/index.ts';
import type { NodeId } from '../rpc/index.ts';
import type { Look } from './messages.ts';
import type { NodeFile } from './places.ts';

export interface ServerWorkerData {
  /** Descriptors of this process: /dev/fuse, and the container's procfs. */
  readonly fuse: number;
  readonly procfs: number;
  readonly node: NodeId;
  /** An eventfd: there are answers in the port. */
  readonly bell: number;
}

/** Who looks into /proc. */
export interface Caller extends Identity {
  /** In the container. */
  readonly pid: number;
}

export type ServerQuestion =
  /** The processes of the other nodes, by node. */
  | { readonly kind: 'list'; readonly caller: Caller }
  /** The operation is carried out wherever its process runs, what is to be done ahead by the same node. */
  | { readonly kind: 'look'; readonly caller: Caller; readonly look: Look; readonly hint: NodeId | undefined }
  /** Node 0 is the cluster. */
  | { readonly kind: 'node-file'; readonly caller: Caller; readonly node: NodeId; readonly file: NodeFile }
  /** Nodes that take part. */
  | { readonly kind: 'nodes' };

export interface ServerAnswers {
  readonly list: readonly { readonly node: NodeId; readonly pids: readonly number[] }[];
  /** Packed results; undefined when the process is nowhere. */
  readonly look: { readonly results: Uint8Array | undefined; readonly node: NodeId };
  readonly 'node-file': string | undefined;
  readonly nodes: readonly NodeId[];
}

export interface ServerRequest {
  readonly id: number;
  readonly question: ServerQuestion;
}

/** To the server. */
export type ServerCommand =
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown; readonly errno?: number }
  /** Questions are answered from now on. */
  | { readonly kind: 'joined' }
  | { readonly kind: 'stop' };

/** From the server. */
export type ServerEvent = { readonly kind: 'ask'; readonly request: ServerRequest } | { readonly kind: 'fault'; readonly error: unknown };
