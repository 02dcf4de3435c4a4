/**
 * The project's error: what the command line, the HTTP API, the log and the link between nodes all show alike.
 *
 * A message says what happened, why, and what to do. The code is stable: scripts may test it. Every code stands in
 * `ERROR_CODES` below, once, with what it means and how it is shown over HTTP and as an exit status.
 */

/** How a code is explained and carried out of the process. */
export interface ErrorKind {
  /** One short sentence, for the documentation and for `krg` when a message is missing. */
  readonly meaning: string;
  /** HTTP status of an API answer that carries this error. */
  readonly status: number;
  /** Exit status of `krg` when this error ends a command. 1 = failed, 2 = wrong usage, 3 = not found, 4 = not allowed, 5 = refused, 6 = unreachable. */
  readonly exit: number;
}

/**
 * The registry of codes. Add a line where it belongs; never change the meaning of one that exists.
 * `src/linux/errors.test.ts` checks that every code raised in `src` stands here.
 */
export const ERROR_CODES = {
  // Anything
  KRG_INTERNAL: { meaning: 'a fault in Korrigan itself', status: 500, exit: 1 },
  KRG_BAD_REQUEST: { meaning: 'the request does not have the form that was expected', status: 400, exit: 2 },
  KRG_USAGE: { meaning: 'the command line is wrong', status: 400, exit: 2 },
  KRG_CANCELLED: { meaning: 'the caller gave the operation up', status: 499, exit: 130 },
  KRG_DEADLINE: { meaning: 'the operation did not end within its time', status: 504, exit: 1 },
  KRG_LIMIT: { meaning: 'a limit of the configuration was reached', status: 429, exit: 1 },
  KRG_NOT_SUPPORTED: { meaning: 'this kernel or machine lacks what the operation needs', status: 501, exit: 5 },
  KRG_PERMISSION: { meaning: 'the caller may not do this', status: 403, exit: 4 },

  // Nodes and the links between them
  KRG_NO_DAEMON: { meaning: 'no Korrigan daemon answers on this machine', status: 503, exit: 6 },
  KRG_NO_SUCH_NODE: { meaning: 'the cluster has no such node', status: 404, exit: 3 },
  KRG_NODE_ONLINE: { meaning: 'the node takes part in the cluster already', status: 409, exit: 1 },
  KRG_NODE_NOT_PRESENT: { meaning: 'the daemon of the node is not up', status: 409, exit: 1 },
  KRG_NODE_NOT_ONLINE: { meaning: 'the node does not take part in the cluster', status: 409, exit: 1 },
  KRG_NODE_FENCED: { meaning: 'the node was declared dead, but its processes still live', status: 409, exit: 1 },
  KRG_NODE_LOST: { meaning: 'the node was declared dead, and what ran there has ended', status: 410, exit: 6 },
  KRG_NO_MAJORITY: { meaning: 'too few nodes of the cluster answer to change what is shared', status: 503, exit: 6 },
  KRG_LAST_NODE: { meaning: 'the last node cannot leave the cluster', status: 409, exit: 1 },
  KRG_NODE_DEAD: { meaning: 'the node does not answer, or its link was lost', status: 502, exit: 6 },
  KRG_NO_SUCH_CALL: { meaning: 'the node knows no call of this name', status: 501, exit: 1 },
  KRG_PEER_VERSION: { meaning: 'the peer speaks another version of the protocol between nodes', status: 502, exit: 6 },
  KRG_PEER_CLUSTER: { meaning: 'the peer belongs to another cluster', status: 502, exit: 6 },
  KRG_PEER_IDENTITY: { meaning: 'the peer is not the node that it was taken for', status: 502, exit: 6 },
  KRG_PEER_UNAUTHENTICATED: { meaning: 'the peer did not prove who it is', status: 401, exit: 6 },
  KRG_PEER_REVOKED: { meaning: 'the certificate of the peer was revoked', status: 401, exit: 6 },
  KRG_PEER_PROTOCOL: { meaning: 'the peer broke the protocol between nodes', status: 502, exit: 6 },
  KRG_PEER_FORGED: { meaning: 'what came over an encrypted connection is not what the peer sent', status: 502, exit: 6 },
  KRG_DUPLICATE_LINK: { meaning: 'the two nodes have another link, which is used', status: 500, exit: 1 },
  KRG_TOKEN_INVALID: { meaning: 'the cluster has given out no such token', status: 401, exit: 4 },
  KRG_TOKEN_USED: { meaning: 'the token was used before', status: 401, exit: 4 },
  KRG_TOKEN_EXPIRED: { meaning: 'the time of the token is over', status: 401, exit: 4 },
  KRG_PORT_IN_USE: { meaning: 'the address is taken or does not belong to this machine', status: 500, exit: 1 },
  KRG_NO_SUCH_STREAM: { meaning: 'the node has no end of this stream, or has no more', status: 410, exit: 1 },
  KRG_STREAM_BROKEN: { meaning: 'the stream was broken off before its end', status: 502, exit: 1 },

  // Objects that nodes share
  KRG_OBJECT_LOST: { meaning: 'the only copy of the object was on a node that died', status: 410, exit: 1 },
  KRG_OBJECT_BUSY: { meaning: 'somebody else holds the object', status: 409, exit: 1 },
  KRG_NO_SUCH_OBJECT: { meaning: 'the object, or its set, does not exist or is not here', status: 404, exit: 3 },
  KRG_NOT_HELD: { meaning: 'the object is not held by who wants to give it back', status: 409, exit: 1 },
  KRG_LAST_COPY: { meaning: 'the last copy of an object has no node to go to', status: 409, exit: 5 },
  KRG_NODE_LEAVING: { meaning: 'the node leaves the cluster and takes nothing new', status: 503, exit: 6 },

  // Locks and their like
  KRG_LOCK_BUSY: { meaning: 'somebody has it or waits for it, and the caller would not wait', status: 409, exit: 1 },
  KRG_LOCK_NOT_RECOVERABLE: { meaning: 'the lock was given up by one who did not repair what a dead owner had left', status: 409, exit: 5 },
  KRG_LOCK_LOST: { meaning: 'what was held is not held any more', status: 410, exit: 255 },
  KRG_DEADLOCK: { meaning: 'the caller would wait for itself', status: 409, exit: 5 },
  KRG_BARRIER_MISMATCH: { meaning: 'the barrier waits for another number of parties', status: 409, exit: 2 },
  KRG_REMOVED: { meaning: 'what the caller waited for was removed', status: 410, exit: 3 },

  // Containers and what is started in them
  KRG_CONTAINER_LOST: { meaning: 'the container of the node has ended, and all its processes with it', status: 500, exit: 1 },
  KRG_COMMAND_NOT_FOUND: { meaning: 'the program to run does not exist', status: 404, exit: 127 },
  KRG_COMMAND_NOT_EXECUTABLE: { meaning: 'the program exists but cannot be executed', status: 409, exit: 126 },

  // Processes and their migration
  KRG_NO_SUCH_PROCESS: { meaning: 'no process of the cluster has this pid', status: 404, exit: 3 },
  KRG_PROCESS_ELSEWHERE: { meaning: 'the process is not on this node, or not any more', status: 409, exit: 5 },
  KRG_NOT_YOUR_PROCESS: { meaning: 'the process belongs to another user', status: 403, exit: 4 },
  KRG_CAPABILITY_MISSING: { meaning: 'the process lacks the capability that this takes', status: 403, exit: 4 },
  KRG_NOT_MOVABLE: { meaning: 'the process holds something that cannot be moved', status: 409, exit: 5 },
  KRG_TRACED: { meaning: 'a debugger or tracer holds the process', status: 409, exit: 5 },
  KRG_CANNOT_STOP: { meaning: 'a thread of the process could not be stopped in time', status: 409, exit: 5 },
  KRG_PROCESS_BUSY: { meaning: 'another operation is at work on the process', status: 409, exit: 5 },
} as const satisfies Readonly<Record<string, ErrorKind>>;

/** A code of the registry. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** An error as it crosses a link between nodes or the HTTP API. Unknown members are ignored by the reader. */
export interface ErrorJSON {
  readonly code: string;
  readonly message: string;
  readonly cause?: ErrorJSON;
}

/** An error that has a stable code and a message written for the person who reads it. */
export class KorriganError extends Error {
  override readonly name = 'KorriganError';
  readonly code: string;

  /** @param code a key of `ERROR_CODES` @param message what happened, why, and what to do */
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  toJSON(): ErrorJSON {
    return errorToJSON(this);
  }

  /** The error again on the other side. Its stack is that of this side; the cause chain is kept. */
  static fromJSON(json: ErrorJSON): KorriganError {
    const options = json.cause === undefined ? undefined : { cause: KorriganError.fromJSON(json.cause) };
    return new KorriganError(json.code, json.message, options);
  }
}

/** Meaning, HTTP status and exit status of a code; those of `KRG_INTERNAL` for a code that is not known here. */
export function errorKind(code: string): ErrorKind {
  return Object.hasOwn(ERROR_CODES, code) ? ERROR_CODES[code as ErrorCode] : ERROR_CODES.KRG_INTERNAL;
}

/** Whether `error` is a KorriganError, of the given code when one is named. */
export function isKorriganError(error: unknown, code?: ErrorCode): error is KorriganError {
  return error instanceof KorriganError && (code === undefined || error.code === code);
}

/** `error` itself when it is a KorriganError, else a `KRG_INTERNAL` that names it and has it as its cause. */
export function toKorriganError(error: unknown): KorriganError {
  if (error instanceof KorriganError) return error;
  if (error instanceof Error) return new KorriganError('KRG_INTERNAL', error.message, { cause: error });
  return new KorriganError('KRG_INTERNAL', `something other than an error was thrown: ${String(error)}`);
}

/** How deep a chain of causes is carried to another node. */
const CAUSES_KEPT = 4;

/** How much of a message is carried to another node, in characters. */
const MESSAGE_KEPT = 8192;

/** Any thrown value in the form that crosses links. An error's own string `code` (ENOENT …) is kept. */
export function errorToJSON(error: unknown, causesLeft: number = CAUSES_KEPT): ErrorJSON {
  if (!(error instanceof Error)) return toKorriganError(error).toJSON();
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'KRG_INTERNAL';
  const json = { code, message: error.message.slice(0, MESSAGE_KEPT) };
  if (error.cause === undefined || causesLeft === 0) return json;
  return { ...json, cause: errorToJSON(error.cause, causesLeft - 1) };
}
