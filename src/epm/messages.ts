/**
 * What the two ends of a migration tell each other over its channel, beside the pages. Parsed at both ends; the channel belongs to one
 * migration: its keys come from the ticket that the target handed out over RPC.
 */
import { z } from 'zod';
import { KorriganError } from '../linux/index.ts';
import { IMAGE_VERSION, type ProcessImage } from '../ghost/index.ts';
import type { Area } from '../mm/index.ts';

const pid = z.number().int().positive();
const range = z.object({ start: z.number(), end: z.number() });
const area = z.custom<Area>((value) => range.safeParse(value).success && typeof (value as Area).kind === 'string');
const image = z.custom<ProcessImage>((value) => typeof value === 'object' && value !== null && 'threads' in value && 'areas' in value);
const error = z.object({ code: z.string(), message: z.string() });

const toTarget = z.discriminatedUnion('kind', [
  /** First message. */
  z.object({
    kind: z.literal('hello'),
    imageVersion: z.number(),
    pids: z.array(pid),
    vdso: z.string(),
    /** See processorFeatures. */
    features: z.array(z.string()),
  }),
  /** Areas whose pages follow while the process still runs. */
  z.object({ kind: z.literal('ahead'), pid, areas: z.array(area) }),
  /**
   * The processes are about to be stopped: the target answers that it is awake, and from then on does not sleep for long. `kernel` and
   * `processor` tell where the source runs: on one machine the target stays out of its way.
   */
  z.object({ kind: z.literal('freezing'), kernel: z.string(), processor: z.number() }),
  /** Areas of a process that still runs. */
  z.object({ kind: z.literal('layout'), pid, areas: z.array(area) }),
  /** Everything about one frozen process; its remaining pages follow. Without areas they are those of `layout`. */
  z.object({ kind: z.literal('image'), pid, image, discarded: z.array(range), sameLayout: z.boolean() }),
  /** Open files while the processes still run; `positions` completes them. */
  z.object({ kind: z.literal('files-ahead'), files: z.unknown() }),
  /** Nothing but these positions, by description, has changed since `files-ahead`. */
  z.object({ kind: z.literal('positions'), positions: z.array(z.tuple([z.number(), z.number()])) }),
  /** Open files of the frozen processes, whatever came ahead. */
  z.object({ kind: z.literal('files'), files: z.unknown() }),
  /** Everything about this process has been sent; those of the others follow. */
  z.object({ kind: z.literal('process-complete'), pid }),
  z.object({ kind: z.literal('complete') }),
  z.object({ kind: z.literal('commit') }),
  z.object({ kind: z.literal('abort'), error }),
]);

const toSource = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ready') }),
  z.object({ kind: z.literal('awake') }),
  z.object({ kind: z.literal('refused'), error }),
  z.object({ kind: z.literal('imported') }),
  /** The processes run; `at` is CLOCK_REALTIME in nanoseconds just before. */
  z.object({ kind: z.literal('running'), at: z.bigint() }),
]);

export type ToTarget = z.infer<typeof toTarget>;
export type ToSource = z.infer<typeof toSource>;

function parse<T>(schema: z.ZodType<T>, message: unknown): T {
  const result = schema.safeParse(message);
  if (result.success) return result.data;
  throw new KorriganError(
    'KRG_PEER_PROTOCOL',
    `the migration stream holds a message that cannot be understood: ${z.prettifyError(result.error)}`,
  );
}

export function parseToTarget(message: unknown): ToTarget {
  return parse(toTarget, message);
}

export function parseToSource(message: unknown): ToSource {
  return parse(toSource, message);
}

/** @throws KorriganError when a ghost of this layout cannot be read here */
export function checkImageVersion(version: number): void {
  if (version === IMAGE_VERSION) return;
  throw new KorriganError(
    'KRG_PEER_VERSION',
    `the ghost has layout ${version}, this node reads layout ${IMAGE_VERSION}; update the older node`,
  );
}
