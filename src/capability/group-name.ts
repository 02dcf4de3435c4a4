/**
 * Where the sets of a process lie: in the name of a control group below that of its application. The kernel puts every child into the group of its parent, as part of
 * fork(2), and execve(2) changes nothing; so the kernel does the inheritance: nobody watches forks, nothing is forgotten when a parent ends or a
 * daemon is started again, and there is no table. Programs of ordinary users cannot leave a group.
 *
 * `caps-1067-3-1067-3-0.0.0-65601-4711`: permitted, effective, inheritable permitted and inheritable effective capabilities, octal; how often each action of
 * DISABLEABLE_NAMES is disabled; and whose they are: pid in the cluster and start time (clock ticks since boot). Everybody else in the group has been forked by somebody
 * there, and has the sets of a child. `0-0` names nobody: all are children. A process without such a group has what the configuration says.
 */
import { z } from 'zod';
import { type CapabilitySets, contains, DISABLEABLE_NAMES, type DisableableCapability, formatMask, SET_NAMES, SUPPORTED } from './names.ts';
import { childSets } from './sets.ts';

/** How often each action is disabled. */
export type Disabled = Readonly<Record<DisableableCapability, number>>;

export const NOT_DISABLED: Disabled = { CAN_MIGRATE: 0, DISTANT_FORK: 0, CHECKPOINTABLE: 0 };
/** How often an action can be disabled at once. */
export const MOST_DISABLED = 999;

/** What a process was given. */
export interface Given {
  readonly sets: CapabilitySets;
  readonly disabled: Disabled;
}

/** A process for ever. */
export interface Owner {
  readonly pid: number;
  /** Clock ticks since boot. */
  readonly startTime: number;
}

const NOBODY: Owner = { pid: 0, startTime: 0 };
const set = z
  .int()
  .min(0)
  .max(SUPPORTED)
  .refine((value) => contains(SUPPORTED, value), 'has capabilities that are not supported');
const times = z.int().min(0).max(MOST_DISABLED);

/** Checks what came from another node. */
export const givenSchema = z.object({
  sets: z
    .object({ permitted: set, effective: set, inheritablePermitted: set, inheritableEffective: set })
    .refine(({ permitted, effective }) => contains(permitted, effective), 'effective exceeds permitted')
    .refine(({ permitted, inheritablePermitted }) => contains(permitted, inheritablePermitted), 'inheritable exceeds permitted')
    .refine(
      (sets) => contains(sets.inheritablePermitted, sets.inheritableEffective),
      'inheritable effective exceeds inheritable permitted',
    ),
  disabled: z.object({ CAN_MIGRATE: times, DISTANT_FORK: times, CHECKPOINTABLE: times }),
});

const PREFIX = 'caps-';
const NAME = /^caps-([0-7]+)-([0-7]+)-([0-7]+)-([0-7]+)-(\d+)\.(\d+)\.(\d+)-(\d+)-(\d+)$/;

/** The group for a process that is given this. */
export function groupNameFor(given: Given, owner: Owner): string {
  const sets = SET_NAMES.map((name) => formatMask(given.sets[name]).slice(1));
  const counts = DISABLEABLE_NAMES.map((name) => given.disabled[name]).join('.');
  const { pid, startTime } = isAsChild(given) ? NOBODY : owner;
  return `${PREFIX}${sets.join('-')}-${counts}-${pid}-${startTime}`;
}

/** What a process has been given, itself or by an ancestor, in a group of this path; undefined: nothing. */
export function givenIn(path: string, process: Owner): Given | undefined {
  const { name } = splitPath(path);
  const found = name === undefined ? undefined : readName(name);
  if (found === undefined) return undefined;
  const { given, owner } = found;
  if (owner.pid === process.pid && owner.startTime === process.startTime) return given;
  return { sets: childSets(given.sets), disabled: NOT_DISABLED };
}

/** The path of the group in which groups of capabilities are made, and the name of the one that there is in `path`. */
export function splitPath(path: string): { readonly base: string; readonly name: string | undefined } {
  const parts = path.split('/');
  const at = parts.findLastIndex(isGroupName);
  return at < 0 ? { base: path, name: undefined } : { base: parts.slice(0, at).join('/'), name: parts[at] };
}

export function isGroupName(name: string): boolean {
  return name.startsWith(PREFIX);
}

function readName(name: string): { given: Given; owner: Owner } | undefined {
  const parts = NAME.exec(name)?.slice(1) ?? [];
  const [permitted, effective, inheritablePermitted, inheritableEffective] = parts.slice(0, 4).map((text) => Number.parseInt(text, 8));
  const [CAN_MIGRATE, DISTANT_FORK, CHECKPOINTABLE, pid = 0, startTime = 0] = parts.slice(4).map(Number);
  const sets = { permitted, effective, inheritablePermitted, inheritableEffective };
  const given = givenSchema.safeParse({ sets, disabled: { CAN_MIGRATE, DISTANT_FORK, CHECKPOINTABLE } });
  return given.success ? { given: given.data, owner: { pid, startTime } } : undefined;
}

/** Has it just what a child of it has? Then all of a family can share a group. */
function isAsChild({ sets, disabled }: Given): boolean {
  const child = childSets(sets);
  return SET_NAMES.every((name) => child[name] === sets[name]) && DISABLEABLE_NAMES.every((name) => disabled[name] === 0);
}
