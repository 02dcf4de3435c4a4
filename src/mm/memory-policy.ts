/** NUMA policies of threads and of mappings (man 7 numa): capture inside the process, and restore. */
import type { Program } from '../linux/index.ts';
import type { Area } from './areas.ts';

export interface MemoryPolicy {
  /** MPOL_* with its flags; 0: the default. */
  mode: number;
  /** A bit for each node. */
  nodes: Uint8Array;
}

const MPOL_DEFAULT = 0;
const MPOL_F_ADDR = 2;
/** As many nodes as a kernel can be built for. */
const NODES = 1024;
const MASK_SIZE = NODES / 8;
/** The kernel takes one bit less than it is told (mm/mempolicy.c, get_nodes). */
const MASK_BITS = NODES + 1;

/** Bytes of program data that one policy takes. */
export const MEMORY_POLICY_BYTES = 8 + MASK_SIZE;
/** Records and data that the questions to so many areas take. */
export const policyQuestions = (areas: number): { records: number; data: number } => ({
  records: areas + 1,
  data: areas * MEMORY_POLICY_BYTES,
});

function ask(program: Program, address: number, flags: number): () => MemoryPolicy {
  const mode = program.data(8);
  const nodes = program.data(MASK_SIZE);
  const asked = program.tryCall('get_mempolicy', mode, nodes, NODES, address, flags);
  return () => {
    // ENOSYS: a kernel without NUMA; EFAULT: an area of the kernel's own.
    if (program.result(asked) < 0) return { mode: MPOL_DEFAULT, nodes: new Uint8Array() };
    return { mode: program.viewAt(mode, 4).getInt32(0, true), nodes: program.bytesAt(nodes, MASK_SIZE).slice() };
  };
}

/** Appends the question to a thread; the answer is read after the run. */
export function captureThreadPolicy(program: Program): () => MemoryPolicy {
  return ask(program, 0, 0);
}

export function restoreThreadPolicy(program: Program, { mode, nodes }: MemoryPolicy): void {
  if (mode !== MPOL_DEFAULT) program.call('set_mempolicy', mode, program.data(nodes), MASK_BITS);
}

/**
 * Appends the questions for areas ({@link policyQuestions}).
 * @returns to be called after the run: gives the areas that have a policy theirs
 */
export function captureAreaPolicies(program: Program, areas: readonly Area[]): () => void {
  const answers = areas.map((area) => ({ area, answer: ask(program, area.start, MPOL_F_ADDR) }));
  return () => {
    for (const { area, answer } of answers) {
      const policy = answer();
      if (policy.mode !== MPOL_DEFAULT) area.policy = policy;
    }
  };
}

/** Appends what gives an area its policy again. */
export function restoreAreaPolicy(program: Program, { start, end, policy }: Area): void {
  if (policy !== undefined) program.call('mbind', start, end - start, policy.mode, program.data(policy.nodes), MASK_BITS, 0);
}
