/** What all simulated worlds have in common: a scenario is made from a seed, runs in one way only, and is made smaller by leaving parts of it out. */

/** Counts by kind, under headings. */
export type Explored = ReadonlyMap<string, ReadonlyMap<string, number>>;

export interface Outcome {
  /** `undefined`: nothing was found. */
  readonly violation: string | undefined;
  /** When it ended, in simulated time. */
  readonly atMs: number;
  readonly explored: Explored;
}

export interface ScenarioSize {
  readonly nodes: number;
  /** Things that the nodes share or move. */
  readonly objects: number;
  /** In which something new begins. */
  readonly durationMs: number;
}

export interface RunSettings {
  /** A break of the protocol. */
  readonly mutation?: string | undefined;
  /** Gets every event, for a person to read. */
  readonly trace?: ((line: string) => void) | undefined;
}

/** A list in a scenario of which any part can be left out. */
export interface Part<Scenario> {
  readonly of: (scenario: Scenario) => readonly unknown[];
  readonly with: (scenario: Scenario, rest: readonly unknown[]) => Scenario;
}

export interface Simulation<Scenario> {
  readonly name: string;
  /** Used where the user names none. */
  readonly usual: ScenarioSize & { readonly seeds: number };
  /** Breaks of the protocol that it must find, with what they are. */
  readonly mutations: Readonly<Record<string, string>>;
  readonly create: (seed: number, size: ScenarioSize) => Scenario;
  readonly run: (scenario: Scenario, settings: RunSettings) => Promise<Outcome>;
  readonly parts: (scenario: Scenario) => readonly Part<Scenario>[];
  /** Other smaller ones that are worth trying. */
  readonly smaller?: (scenario: Scenario) => readonly Scenario[];
  /** In a few words. */
  readonly describe: (scenario: Scenario) => string;
}

/** The list that is a property of the scenario. */
export function part<Scenario, Key extends keyof Scenario>(
  key: Key & (Scenario[Key] extends readonly unknown[] ? Key : never),
): Part<Scenario> {
  return {
    of: (scenario) => scenario[key] as readonly unknown[],
    with: (scenario, rest) => ({ ...scenario, [key]: rest }),
  };
}

/** Counts of one run. */
export class Counts {
  readonly explored = new Map<string, Map<string, number>>();

  add(heading: string, kind: string, times = 1): void {
    const counts = this.explored.get(heading) ?? new Map<string, number>();
    this.explored.set(heading, counts.set(kind, (counts.get(kind) ?? 0) + times));
  }

  addAll(explored: Explored): void {
    for (const [heading, counts] of explored) for (const [kind, times] of counts) this.add(heading, kind, times);
  }
}

/** Thrown to end a run. */
export class Violation extends Error {}
