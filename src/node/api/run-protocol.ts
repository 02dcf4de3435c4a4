/**
 * What the user of a program and the node that runs it tell each other (POST /v1/run with `Upgrade: korrigan-run`), as messages of
 * `streams/frames.ts`. The node that is asked passes the bytes on.
 *
 * The user's side begins with `attach`; the node answers `attached` or `error`, and says `exit` after all output; the user's side answers
 * `done`, and the node forgets the program. A connection may be lost at any moment: the user's side makes another one and attaches to the same run,
 * each side says how far it has come, and the other goes on from there. So daemons may die and come back while a program runs.
 * The streams: standard input, output and error are the channels 0, 1 and 2; a terminal is channel 0 both ways.
 */
import type { ErrorJSON } from '../../linux/errors.ts';
import type { RunRequest } from './schemas.ts';
import type { ExitStatus, StartedProcess } from './types.ts';

/** The value of the Upgrade header. */
export const RUN_PROTOCOL = 'korrigan-run';
/** How long the user's side tries to find its program again, and how long a node waits for it; the node waits longer, and then hangs up. */
export const USER_PATIENCE_MILLISECONDS = 30_000;
export const NODE_PATIENCE_MILLISECONDS = 60_000;

export type UserMessage =
  | {
      readonly kind: 'attach';
      /** A UUID of the user's side: the program is started once, however often this is said. */
      readonly run: string;
      /** Where the program runs or is to run; the node that is asked when none is named. */
      readonly node?: string | undefined;
      /** What to start, until it is known to have started. */
      readonly request?: RunRequest | undefined;
      /** The program has /dev/null as its streams and no user: `attached` is answered with `done`. */
      readonly detached?: true | undefined;
      /** Per channel, the position up to which the user's side has output. */
      readonly received: readonly number[];
    }
  /** `count` is 1 for the first signal of a run, 2 for the next … */
  | { readonly kind: 'signal'; readonly signal: number; readonly count: number }
  | { readonly kind: 'resize'; readonly columns: number; readonly rows: number }
  | { readonly kind: 'done' };

export type NodeMessage =
  | {
      readonly kind: 'attached';
      readonly process: StartedProcess;
      /** Per channel, the position up to which the program was given input. */
      readonly written: readonly number[];
      /** Signals delivered so far. */
      readonly signals: number;
    }
  | { readonly kind: 'exit'; readonly status: ExitStatus }
  | { readonly kind: 'error'; readonly error: ErrorJSON };
