/** Resource limits: capture and restore inside the process, because those of another user take CAP_SYS_RESOURCE from outside (man 2 prlimit). */
import type { Program } from '../linux/index.ts';

const LIMITS = 16;
const RLIMIT_SIZE = 16;
const SELF = 0;

/** Soft and hard limit of a resource; all ones: none. */
export type Limit = [bigint, bigint];

/** Appends the questions; the answer is read after the run. */
export function captureLimits(program: Program): () => Limit[] {
  const buffer = program.data(LIMITS * RLIMIT_SIZE);
  for (let resource = 0; resource < LIMITS; resource++) program.call('prlimit64', SELF, resource, 0, buffer + resource * RLIMIT_SIZE);
  return () => {
    const view = program.viewAt(buffer, LIMITS * RLIMIT_SIZE);
    return Array.from({ length: LIMITS }, (_, resource) => [
      view.getBigUint64(resource * RLIMIT_SIZE, true),
      view.getBigUint64(resource * RLIMIT_SIZE + 8, true),
    ]);
  };
}

/**
 * Sets the limits, by a process that still has its privileges but needs no more resources: a limit may be lower than what is in use.
 * A hard limit above what this node's container has is refused by the kernel (EPERM).
 */
export function restoreLimits(program: Program, limits: readonly (readonly [bigint, bigint])[]): void {
  limits.forEach(([soft, hard], resource) => {
    const bytes = new Uint8Array(RLIMIT_SIZE);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, soft, true);
    view.setBigUint64(8, hard, true);
    program.call('prlimit64', SELF, resource, program.data(bytes), 0);
  });
}
