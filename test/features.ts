/**
 * The registry of feature programs, read from test/programs/features.
 *
 * Each program holds one kind of state and checks it itself. Its first lines are comments of one line each: `what:` (the row in
 * docs/what-moves.md), `needs:` (how it has to be moved) and `spoil:` (an expression that stands for the loss of the state).
 * The protocol of the programs stands in test/programs/feature.h.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Folder of the feature programs. */
export const FEATURES_FOLDER = join(import.meta.dirname, 'programs', 'features');

/** Groups in the order in which documents show them. A program's group is its name up to the first underscore. */
export const FEATURE_GROUPS = {
  memory: 'Memory',
  thread: 'Threads',
  signal: 'Signals',
  timer: 'Timers',
  clock: 'Clocks',
  cpu: 'Processor state',
  syscall: 'Blocked system calls',
  process: 'Processes and families',
  credential: 'Credentials',
  limit: 'Limits',
  attribute: 'Process attributes',
  file: 'Files',
  pipe: 'Pipes and FIFOs',
  socket: 'Sockets',
  event: 'Event descriptors',
  tty: 'Terminals',
} as const;

export type FeatureGroup = keyof typeof FEATURE_GROUPS;

/** What a program asks of the harness. */
export const FEATURE_NEEDS = {
  tree: 'has children that share memory, pipes or terminals with it: moved with its whole tree',
  family: 'has children tied to it by kinship only: may be moved with its tree or alone, both must work',
  root: 'sets what only root may set: skips itself for other users',
  deadline: 'does not wait for "go" while it is blocked: it checks a deadline that it met or missed in the meantime',
  busy: 'uses a whole processor while it waits',
  refusable: 'state at the edge: a refusal by preflight that names the resource is a right answer too',
} as const;

export type FeatureNeed = keyof typeof FEATURE_NEEDS;

/** One feature program. */
export interface Feature {
  /** File name without its ending, for example `signal_queued_realtime`. */
  readonly name: string;
  readonly group: FeatureGroup;
  /** The state that survives, as a phrase. */
  readonly what: string;
  readonly needs: readonly FeatureNeed[];
  /** C expression that loses the state; undefined where no program of its own can lose it. */
  readonly spoil: string | undefined;
  /** Absolute path of the source. */
  readonly source: string;
}

/** Exit status of a feature program on a machine that lacks what the state needs. */
export const FEATURE_SKIPPED = 77;

const isGroup = (word: string): word is FeatureGroup => Object.hasOwn(FEATURE_GROUPS, word);
const isNeed = (word: string): word is FeatureNeed => Object.hasOwn(FEATURE_NEEDS, word);

/** Value of the comment `label: ...` in the first lines of a source, or undefined. */
const headerLine = (source: string, label: string): string | undefined =>
  new RegExp(`^/\\* ${label}: (.+) \\*/$`, 'm').exec(source.split('#include', 1)[0] ?? '')?.[1];

/** Reads one program's description. Throws an Error that names the file when a line is missing or says something unknown. */
export function parseFeature(name: string, text: string, source: string): Feature {
  const group = name.split('_', 1)[0] ?? '';
  if (!isGroup(group)) throw new Error(`${source}: '${group}' is no group of features (${Object.keys(FEATURE_GROUPS).join(', ')})`);
  const what = headerLine(text, 'what');
  if (what === undefined) throw new Error(`${source}: the first line has to be /* what: ... */`);
  const needs = (headerLine(text, 'needs') ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  const unknown = needs.find((word) => !isNeed(word));
  if (unknown !== undefined)
    throw new Error(`${source}: '${unknown}' is nothing a feature can need (${Object.keys(FEATURE_NEEDS).join(', ')})`);
  return { name, group, what, needs: needs.filter(isNeed), spoil: headerLine(text, 'spoil'), source };
}

/** All feature programs, by group in the order of FEATURE_GROUPS and then by name. */
export function readFeatures(folder: string = FEATURES_FOLDER): readonly Feature[] {
  const order = Object.keys(FEATURE_GROUPS);
  return readdirSync(folder)
    .filter((file) => file.endsWith('.c'))
    .map((file) => parseFeature(file.slice(0, -2), readFileSync(join(folder, file), 'utf8'), join(folder, file)))
    .toSorted((a, b) => order.indexOf(a.group) - order.indexOf(b.group) || a.name.localeCompare(b.name));
}
