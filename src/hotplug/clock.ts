/** Time as a node sees it. The simulator has one of its own. */
import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds; it never goes back. */
  now(): number;
  delay(milliseconds: number): Promise<void>;
  /** @returns what ends it */
  every(milliseconds: number, run: () => void): () => void;
}

/** That of this machine. It keeps no process alive. */
export const machineClock: Clock = {
  now: () => performance.now(),
  delay: (milliseconds) => delay(milliseconds, undefined, { ref: false }),
  every: (milliseconds, run) => {
    const timer = setInterval(run, milliseconds).unref();
    return () => clearInterval(timer);
  },
};
