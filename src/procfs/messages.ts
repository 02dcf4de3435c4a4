/** What nodes ask each other about their processes and about themselves. */
import { z } from 'zod';
import { defineCall } from '../rpc/index.ts';
import { numberOfEntry } from './entries.ts';
import { NODE_FILES } from './places.ts';

/** Of one answer to a read; longer files are read in pieces. */
export const PIECE_BYTES = 256 * 1024;
/** Of one request. */
const OPERATIONS = 4096;
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

const resultSchema = z.union([
  /** The process does not run here. */
  z.object({ isElsewhere: z.literal(true) }),
  z.object({ errno: z.int().positive() }),
  /** A piece of at most {@link PIECE_BYTES}; a shorter one is the last. */
  z.object({ bytes }),
  z.object({ names: z.array(z.string()), types: bytes }),
  z.object({ link: z.string() }),
  z.object({ mode: id, uid: id, gid: id, size: id, links: id }),
]);
export type Result = z.infer<typeof resultSchema>;

/** Pids of the processes that run on a node. */
export const listCall = defineCall('procfs.list', z.object({}), z.object({ pids: z.array(pid) }));

/** Looks at processes of a node with the rights of a caller. */
export const lookCall = defineCall(
  'procfs.look',
  z.object({ caller: callerSchema, operations: z.array(operationSchema).max(OPERATIONS) }),
  z.object({ results: z.array(resultSchema) }),
);

/** Files that tell of a node as a machine. One that it does not have is empty. */
export const nodeCall = defineCall(
  'procfs.node',
  z.object({ files: z.array(z.enum(NODE_FILES)) }),
  z.object({ texts: z.array(z.string()) }),
);
