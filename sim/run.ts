/** What a run of the object manager is asked, and what it answers. */
import type { Mutation } from '../src/kddm/index.ts';
import type { Totals } from './totals.ts';

export interface RunOptions {
  readonly mutations?: ReadonlySet<Mutation>;
  /** Gets every event, for a person to read. */
  readonly trace?: (line: string) => void;
}

export interface RunResult {
  /** `undefined`: nothing was found. */
  readonly violation: string | undefined;
  readonly atMs: number;
  readonly totals: Totals;
}
