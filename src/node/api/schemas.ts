/** The requests of the HTTP API, parsed before any service sees them. Messages of refusals are written by `parseRequest`. */
import { z } from 'zod';
import { DISABLEABLE_NAMES, SET_NAMES } from '../../capability/names.ts';
import { KorriganError } from '../../linux/errors.ts';

/** The largest pid of Linux: 2^22 (proc_sys_kernel(5), pid_max). */
const PID_LIMIT = 4_194_304;
/** The last real-time signal of x86-64 and arm64: signal(7). */
const LAST_SIGNAL = 64;
/** As the kernel: MAX_ARG_STRLEN and a generous share of ARG_MAX, execve(2). */
const ARGUMENTS_LIMIT = 65_536;

const pid = z.int().min(1).max(PID_LIMIT);
/** A node by name or by id. */
const node = z.string().min(1).max(64);
const noNul = z.string().refine((text) => !text.includes('\0'), 'must not contain a NUL character');

export const processesRequest = z.strictObject({ husks: z.stringbool().default(false) });

export const terminalRequest = z.strictObject({
  columns: z.int().min(1).max(65_535),
  rows: z.int().min(1).max(65_535),
  /** The value of TERM. */
  type: noNul.max(64),
});

/** Bits may be set that have no name: they are refused by what they are for. */
const capabilityMask = z.int().min(0).max(0x3fff_ffff);
const operation = z.enum(['add', 'remove', 'replace']);

/** Of the process, or of the parent of who asks when none is named. */
export const capabilitiesRequest = z.strictObject({ pid: z.coerce.number().pipe(pid).optional() });

export const changeCapabilitiesRequest = z.strictObject({
  pid: pid.optional(),
  /** All at once. */
  changes: z
    .array(z.strictObject({ set: z.enum(SET_NAMES), operation, capabilities: capabilityMask }))
    .max(64)
    .default([]),
  /** After the changes, in this order. */
  disable: z.array(z.enum(DISABLEABLE_NAMES)).max(64).default([]),
  enable: z.array(z.enum(DISABLEABLE_NAMES)).max(64).default([]),
});

export const runRequest = z.strictObject({
  /** The program, looked up along PATH of `environment` when it has no slash, and its arguments. */
  arguments: z.array(noNul).min(1).max(ARGUMENTS_LIMIT),
  environment: z.record(
    noNul.refine((name) => name !== '' && !name.includes('='), 'must be a name without ='),
    noNul,
  ),
  workingDirectory: noNul.startsWith('/').max(4096),
  umask: z.int().min(0).max(0o777).default(0o022),
  /** The file to execute; `arguments[0]` when none is named. */
  file: noNul.min(1).max(4096).optional(),
  /** As login(1): the user's own shell, with the environment that it has after a login, in the user's home. `arguments` are the shell's name, which is replaced, and its arguments. */
  login: z.literal(true).optional(),
  /** The nice value it starts with; 0 when none is named. */
  nice: z.int().min(-20).max(19).optional(),
  /** Where to start; the node that is asked when none is named. */
  node: node.optional(),
  /** What it may do, and its children: these, or more or less than programs may that are started without. */
  capabilities: z.strictObject({ operation, capabilities: capabilityMask }).optional(),
  /** A terminal of its own for the program; without one its standard streams are three pipes. */
  terminal: terminalRequest.optional(),
});

export const killRequest = z.strictObject({
  /** A process; negative: the process group, as kill(2). -1 (every process) is refused. */
  pid: z
    .int()
    .min(-PID_LIMIT)
    .max(PID_LIMIT)
    .refine((value) => value !== 0 && value !== -1, 'must name a process (positive) or a process group (below -1)'),
  signal: z.int().min(0).max(LAST_SIGNAL),
});

export const reniceRequest = z
  .strictObject({
    pid,
    /** The new nice value; what is out of its range is as its end, setpriority(2). */
    nice: z.int().min(-40).max(40).optional(),
    /** What is added to the nice value. */
    by: z.int().min(-40).max(40).optional(),
  })
  .refine(({ nice, by }) => (nice === undefined) !== (by === undefined), 'must say `nice` or `by`');

export const waitRequest = z.strictObject({ pids: z.array(pid).min(1).max(1024) });

export const migrateRequest = z.strictObject({
  pids: z.array(pid).min(1).max(1024),
  node,
  /** Take the descendants along. */
  tree: z.boolean().default(false),
});

export const explainRequest = z.strictObject({
  pid: z.coerce.number().pipe(pid),
  /** Judge a move to this node; without one, what can be said for any. */
  node: node.optional(),
});

export const logsRequest = z.strictObject({
  /** Whose log; that of the node that is asked when none is named. */
  node: node.optional(),
  /** How many lines from the end. */
  lines: z.coerce.number().pipe(z.int().min(0).max(100_000)).default(100),
  /** Go on with what is written from now. */
  follow: z.stringbool().default(false),
});

export const tokenRequest = z.strictObject({
  /** For how long the token is good. */
  seconds: z.int().min(1).max(86_400).default(600),
});

export const revokeRequest = z.strictObject({ node });

const nodes = z.array(node).min(1).max(256);

export const addNodesRequest = z.strictObject({ nodes });

export const removeNodesRequest = z.strictObject({
  nodes,
  /** What cannot be moved is killed; otherwise the node is kept for it. */
  kill: z.boolean().default(false),
  /** For how long it is tried again, seconds; until nothing more moves when none is given. */
  deadlineSeconds: z.number().min(0).max(86_400).optional(),
  /** The daemon and the container of an empty node end. */
  leave: z.boolean().default(false),
});

export const powerRequest = z.strictObject({
  /** `reboot`: with another container, and nothing of what ran. */
  action: z.enum(['off', 'reboot']),
  /** All when none are named. */
  nodes: nodes.optional(),
});

export const emptyRequest = z.strictObject({});

export type ProcessesRequest = z.output<typeof processesRequest>;
export type CapabilitiesRequest = z.output<typeof capabilitiesRequest>;
export type ChangeCapabilitiesRequest = z.output<typeof changeCapabilitiesRequest>;
export type RunRequest = z.output<typeof runRequest>;
export type TerminalRequest = z.output<typeof terminalRequest>;
export type KillRequest = z.output<typeof killRequest>;
export type ReniceRequest = z.output<typeof reniceRequest>;
export type WaitRequest = z.output<typeof waitRequest>;
export type MigrateRequest = z.output<typeof migrateRequest>;
export type ExplainRequest = z.output<typeof explainRequest>;
export type TokenRequest = z.output<typeof tokenRequest>;
export type RevokeRequest = z.output<typeof revokeRequest>;
export type AddNodesRequest = z.output<typeof addNodesRequest>;
export type RemoveNodesRequest = z.output<typeof removeNodesRequest>;
export type PowerRequest = z.output<typeof powerRequest>;
export type LogsRequest = z.output<typeof logsRequest>;

/** `value` in the form of `schema`. @throws KorriganError KRG_BAD_REQUEST that names each member that is wrong */
export function parseRequest<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const complaints = result.error.issues.map((issue) => `${issue.path.join('.') || 'request'}: ${issue.message}`);
  throw new KorriganError('KRG_BAD_REQUEST', `the request is not understood: ${complaints.join('; ')}`);
}
