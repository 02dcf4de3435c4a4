/**
 * What the configuration of a cluster says about capabilities: what programs begin with, and rules by command, user and control group. A rule that
 * allows raises a capability for a process to which nobody has given sets; a rule that denies holds for everybody, whatever their sets.
 */
import { z } from 'zod';
import {
  type CapabilitySet,
  type CapabilitySets,
  DEFAULT_CAPABILITIES,
  namesOf,
  setOf,
  SUPPORTED_NAMES,
  type SupportedCapability,
} from './names.ts';
import { initialSets } from './sets.ts';

const capabilities = z.array(z.enum(SUPPORTED_NAMES));
/** `*` stands for any characters, `?` for one. */
const pattern = z.string().min(1).max(256);

const ruleSchema = z
  .strictObject({
    /** For messages; its number in the list when it has none. */
    name: z.string().min(1).max(64).optional(),
    /** The name of the process, or of the file that it executes. */
    command: pattern.optional(),
    /** Its real user, by name or number. */
    user: z.union([z.string().min(1).max(64), z.int().min(0)]).optional(),
    /** Its group below that of the container's processes, such as `/batch/*`. */
    cgroup: pattern.optional(),
    allow: capabilities.optional(),
    deny: capabilities.optional(),
  })
  .refine(({ command, user, cgroup }) => [command, user, cgroup].some((each) => each !== undefined), 'names a command, a user or a cgroup')
  .refine(({ allow, deny }) => allow !== undefined || deny !== undefined, 'allows or denies something');

export const rulesSchema = z.array(ruleSchema).max(256);

/** Plain JSON, as it stands in the configuration. */
export const policySchema = z.strictObject({
  /** Effective and inheritable effective capabilities of what is started; permitted is everything. */
  initial: capabilities.default(namesOf(DEFAULT_CAPABILITIES) as SupportedCapability[]),
  rules: rulesSchema.default([]),
});

export type CapabilityRule = z.output<typeof ruleSchema>;
export type CapabilityPolicy = z.output<typeof policySchema>;

/** A process as rules see it. */
export interface Subject {
  readonly commands: readonly string[];
  readonly user: number;
  readonly cgroup: string;
}

/** Which rule denies what. */
export interface Denial {
  readonly capability: SupportedCapability;
  readonly rule: string;
}

export class Policy {
  private readonly initial: CapabilitySet;
  private readonly rules: readonly (CapabilityRule & { readonly title: string; readonly uid: number | undefined })[];

  /** @param uidOf number of a user by name; undefined when nobody is called so: rules for them match nobody */
  constructor({ initial, rules }: CapabilityPolicy, uidOf: (name: string) => number | undefined) {
    this.initial = setOf(...initial);
    this.rules = rules.map((rule, n) => ({
      ...rule,
      title: rule.name ?? `rule ${n + 1}`,
      uid: typeof rule.user === 'string' ? (/^\d+$/.test(rule.user) ? Number(rule.user) : uidOf(rule.user)) : rule.user,
    }));
  }

  /** Where there are none, nobody need be looked at. */
  get hasRules(): boolean {
    return this.rules.length > 0;
  }

  /** Of a process to which nobody has given any. @param subject needed where there are rules */
  setsOf(subject: Subject | undefined): CapabilitySets {
    const matching = subject === undefined ? [] : this.matching(subject);
    let effective = this.initial;
    for (const { allow = [], deny = [] } of matching) effective = (effective | setOf(...allow)) & ~setOf(...deny);
    return initialSets(effective);
  }

  denialsFor(subject: Subject): Denial[] {
    const found = new Map<SupportedCapability, string>();
    for (const { deny = [], title } of this.matching(subject))
      for (const capability of deny) if (!found.has(capability)) found.set(capability, title);
    return [...found].map(([capability, rule]) => ({ capability, rule }));
  }

  private matching({ commands, user, cgroup }: Subject): Policy['rules'] {
    return this.rules.filter(
      (rule) =>
        (rule.command === undefined || commands.some((command) => matches(rule.command ?? '', command))) &&
        (rule.user === undefined || rule.uid === user) &&
        (rule.cgroup === undefined || matches(rule.cgroup, cgroup)),
    );
  }
}

function matches(glob: string, text: string): boolean {
  const source = glob
    .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's').test(text);
}
