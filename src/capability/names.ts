/** Kerrighed's capabilities by name, and sets of them as masks with its bits. Loads nothing: every `krg` command may use it. */

/** By bit, from 0. */
export const CAPABILITY_NAMES = [
  'CHANGE_KERRIGHED_CAP',
  'CAN_MIGRATE',
  'DISTANT_FORK',
  'FORK_DELAY',
  'CHECKPOINTABLE',
  'USE_REMOTE_MEMORY',
  'USE_INTRA_CLUSTER_KERSTREAMS',
  'USE_INTER_CLUSTER_KERSTREAMS',
  'USE_WORLD_VISIBLE_KERSTREAMS',
  'SEE_LOCAL_PROC_STAT',
  'DEBUG',
  'SYSCALL_EXIT_HOOK',
] as const;

export type CapabilityName = (typeof CAPABILITY_NAMES)[number];

/** Bit n: the capability with this number. */
export type CapabilitySet = number;

/** Those that do something, as in Kerrighed 3.0. The others can be named, and are refused (ENOSYS). */
export const SUPPORTED_NAMES = [
  'CHANGE_KERRIGHED_CAP',
  'CAN_MIGRATE',
  'DISTANT_FORK',
  'CHECKPOINTABLE',
  'USE_REMOTE_MEMORY',
  'SEE_LOCAL_PROC_STAT',
] as const satisfies readonly CapabilityName[];

export type SupportedCapability = (typeof SUPPORTED_NAMES)[number];

export const SUPPORTED: CapabilitySet = setOf(...SUPPORTED_NAMES);

/** Actions that can be disabled for a time while the capability stays raised. */
export const DISABLEABLE_NAMES = ['CAN_MIGRATE', 'DISTANT_FORK', 'CHECKPOINTABLE'] as const satisfies readonly SupportedCapability[];

export type DisableableCapability = (typeof DISABLEABLE_NAMES)[number];

/** What programs begin with where nobody says otherwise: everything that can be moved may be. Kerrighed gave CHANGE_KERRIGHED_CAP alone. */
export const DEFAULT_CAPABILITIES: CapabilitySet = setOf('CHANGE_KERRIGHED_CAP', 'CAN_MIGRATE');

/** The sets of a process, in Kerrighed's order. */
export const SET_NAMES = ['permitted', 'effective', 'inheritablePermitted', 'inheritableEffective'] as const;

export type SetName = (typeof SET_NAMES)[number];

export type CapabilitySets = Readonly<Record<SetName, CapabilitySet>>;

/** What becomes of one set. */
export interface SetChange {
  readonly set: SetName;
  readonly operation: Operation;
  readonly capabilities: CapabilitySet;
}

export type Operation = 'add' | 'remove' | 'replace';

export function setOf(...names: readonly CapabilityName[]): CapabilitySet {
  return names.reduce((set, name) => set | (1 << CAPABILITY_NAMES.indexOf(name)), 0);
}

/** In the order of their bits; bits without a name are left out. */
export function namesOf(set: CapabilitySet): CapabilityName[] {
  return CAPABILITY_NAMES.filter((_, bit) => (set & (1 << bit)) !== 0);
}

export function contains(set: CapabilitySet, part: CapabilitySet): boolean {
  return (part & ~set) === 0;
}

/** As krgcapset shows a set: `01067`. */
export function formatMask(set: CapabilitySet): string {
  return `0${set.toString(8)}`;
}

/** A list that was read, or the word in it that is none. */
export type ReadList = { readonly operation: Operation; readonly capabilities: CapabilitySet } | { readonly unknown: string };

/** `[+|-]NAME[,NAME…]`, or an octal mask. Names may be written small. */
export function parseList(text: string): ReadList {
  if (/^[0-7]{1,10}$/.test(text)) return { operation: 'replace', capabilities: Number.parseInt(text, 8) };
  const operation = text.startsWith('+') ? 'add' : text.startsWith('-') ? 'remove' : 'replace';
  const words = (operation === 'replace' ? text : text.slice(1)).split(',').filter((word) => word !== '');
  const known = (word: string): CapabilityName | undefined => CAPABILITY_NAMES.find((name) => name === word.toUpperCase());
  const unknown = words.find((word) => known(word) === undefined);
  if (unknown !== undefined) return { unknown };
  return { operation, capabilities: setOf(...words.flatMap((word) => known(word) ?? [])) };
}

export function applied(set: CapabilitySet, { operation, capabilities }: Omit<SetChange, 'set'>): CapabilitySet {
  if (operation === 'add') return set | capabilities;
  return operation === 'remove' ? set & ~capabilities : capabilities;
}
