/** What nodes ask each other about their processes and about themselves. */
import { z } from 'zod';
import { defineCall } from '../rpc/index.ts';
import { numberOfEntry } from './entries.ts';
import { NODE_FILES } from './places.ts';

/** Of one answer to a read; longer files are read in pieces. */
export const PIECE_BYTES = 256 * 1024;
/** Of all results of one look: what exceeds it is not read ahead. */
export const RESULTS_BYTES = 1024 * 1024;
/** How many processes are looked at ahead with one question, and for how many things each. */
export const PROCESSES_AHEAD = 64;
const WANTED = 64;
const GROUPS = 65_536;

const pid = z.int().positive();
const id = z.int().nonnegative();
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'bytes');

/** Whose rights decide what is shown. */
const callerSchema = z.object({ uid: id, gid: id, groups: z.array(id).max(GROUPS), capabilities: id.transform(BigInt) });

const operationSchema = z.object({
  kind: z.enum(['read', 'list', 'link', 'attributes']),
  pid,
  thread: id,
  entry: z.string().refine((entry) => numberOfEntry(entry) !== undefined || /^(fd|fdinfo)\/\d{1,9}$/.test(entry), 'an entry of a process'),
  /** Where to begin to read. */
  offset: z.int().nonnegative().optional(),
});
export type Operation = z.infer<typeof operationSchema>;

/** An operation, and what is to be done ahead: each of `wanted` for each of `pids`. */
const lookSchema = z.object({
  operation: operationSchema,
  pids: z.array(pid).max(PROCESSES_AHEAD),
  wanted: z.array(operationSchema.pick({ kind: true, entry: true })).max(WANTED),
});
export type Look = z.infer<typeof lookSchema>;

/** All operations of a look, the one that is asked for first. */
export function operationsOf({ operation, pids, wanted }: Look): Operation[] {
  const ahead = pids.flatMap((each) => wanted.map(({ kind, entry }): Operation => ({ kind, pid: each, thread: 0, entry })));
  return [operation, ...ahead];
}

const resultSchema = z.union([
  /** A piece of at most {@link PIECE_BYTES}; a shorter one is the last. */
  z.object({ bytes }),
  z.object({ mode: id, uid: id, gid: id, size: id, links: id }),
  z.object({ errno: z.int().positive() }),
  /** The process does not run here; or it was to be looked at ahead, and the answer had become too long. */
  z.object({ isElsewhere: z.literal(true) }),
  z.object({ names: z.array(z.string()), types: bytes }),
  z.object({ link: z.string() }),
]);
export type Result = z.infer<typeof resultSchema>;
/** What goes with an answer to a look, one for each operation; packed and unpacked by the threads that make and use it. */
export const resultsSchema = z.array(resultSchema);

/** Pids of the processes that run on a node. */
export const listCall = defineCall('procfs.list', z.object({}), z.object({ pids: z.array(pid) }));

/** Looks at processes of a node with the rights of a caller. The results are the bytes of the answer, none when the process of the first operation is not there. */
export const lookCall = defineCall('procfs.look', z.object({ caller: callerSchema, look: lookSchema }), z.object({ isHere: z.boolean() }));

/** Files that tell of a node as a machine. One that it does not have is empty. */
export const nodeCall = defineCall(
  'procfs.node',
  z.object({ files: z.array(z.enum(NODE_FILES)) }),
  z.object({ texts: z.array(z.string()) }),
);
