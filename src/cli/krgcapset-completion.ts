/** What could stand at the cursor of a `krgcapset` command line. */
import { capabilityCandidates } from './capability-words.ts';
import type { Candidate } from './completion-candidates.ts';

const OPTIONS: readonly Candidate[] = [
  { value: '--show', description: 'show the capabilities' },
  { value: '--pid', description: 'of this process, instead of the shell' },
  { value: '--effective', description: 'what it may do' },
  { value: '--permitted', description: 'what it may ever do' },
  { value: '--inheritable-effective', description: 'what its children may do' },
  { value: '--inheritable-permitted', description: 'what they may ever do' },
  { value: '--force', description: 'ask nothing' },
  { value: '--help', description: '' },
  { value: '--version', description: '' },
  { value: '--cluster', description: 'which cluster of this machine' },
  { value: '--at', description: 'ask the daemon of this node' },
];
const SETS = ['-e', '-p', '-d', '-i', '--effective', '--permitted', '--inheritable-effective', '--inheritable-permitted'];

/** @param words those after `krgcapset`; the last one is being typed and may be empty */
export function completeKrgcapset(
  words: readonly string[],
  live: { nodes(): readonly Candidate[]; clusters(): readonly Candidate[] },
): readonly Candidate[] {
  const typed = words.at(-1) ?? '';
  const awaiting = words.at(-2) ?? '';
  const starting = (candidates: readonly Candidate[]): Candidate[] => candidates.filter(({ value }) => value.startsWith(typed));
  if (SETS.includes(awaiting)) return starting(capabilityCandidates(typed));
  if (awaiting === '--at') return starting(live.nodes());
  if (awaiting === '--cluster') return starting(live.clusters());
  return ['-k', '--pid'].includes(awaiting) ? [] : starting(OPTIONS);
}
