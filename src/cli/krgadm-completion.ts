/** What could stand at the cursor of a `krgadm` command line. */
import type { Candidate } from './completion-candidates.ts';

const MODES: readonly Candidate[] = [
  { value: 'cluster', description: 'is it up; end it; begin anew' },
  { value: 'nodes', description: 'who is in it; add and take out' },
];
const ACTIONS: Readonly<Record<string, readonly Candidate[]>> = {
  cluster: [
    { value: 'status', description: 'is it up, and on how many nodes' },
    { value: 'poweroff', description: 'end all nodes, with everything that runs there' },
    { value: 'reboot', description: 'the same, and begin anew' },
  ],
  nodes: [
    { value: 'status', description: 'those that are present or online' },
    { value: 'add', description: 'let present nodes take part' },
    { value: 'del', description: 'empty nodes and take them out' },
  ],
};
const GLOBAL: readonly Candidate[] = [
  { value: '--cluster', description: 'which cluster of this machine' },
  { value: '--at', description: 'the current node' },
];
const FOR_STATUS: readonly Candidate[] = [
  { value: '--nodes', description: 'these, such as 2,3,6-10' },
  { value: '--all', description: 'all of them' },
];
const FOR_CHANGES: readonly Candidate[] = [
  ...FOR_STATUS,
  { value: '--count', description: 'so many more, or fewer' },
  { value: '--total', description: 'until the cluster has so many' },
];
const LIST = ['-n', '--nodes'];
const WITH_VALUE = [...LIST, '-c', '--count', '-t', '--total', '--cluster', '--at'];

export interface KrgadmLiveValues {
  /** Their ids, described by their names. */
  nodes(): readonly Candidate[];
  clusters(): readonly Candidate[];
}

/** @param words those after `krgadm`; the last one is being typed and may be empty */
export function completeKrgadm(words: readonly string[], live: KrgadmLiveValues): readonly Candidate[] {
  const typed = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const awaiting = before.at(-1) ?? '';
  if (LIST.includes(awaiting)) return completeList(typed, live.nodes());
  if (awaiting === '--at') return starting(live.nodes(), typed);
  if (awaiting === '--cluster') return starting(live.clusters(), typed);
  if (WITH_VALUE.includes(awaiting)) return [];
  const operands = before.filter((word, index) => !word.startsWith('-') && !WITH_VALUE.includes(before[index - 1] ?? ''));
  const [mode, action] = operands;
  if (mode === undefined)
    return starting([...MODES, { value: '--help', description: '' }, { value: '--version', description: '' }, ...GLOBAL], typed);
  const options = mode !== 'nodes' ? [] : action === 'add' || action === 'del' ? FOR_CHANGES : FOR_STATUS;
  const isChosen = before.some((word) => FOR_CHANGES.some(({ value }) => value === word) || ['-n', '-a', '-c', '-t'].includes(word));
  const actions = action === undefined && !isChosen ? (ACTIONS[mode] ?? []) : [];
  return starting([...actions, ...(isChosen ? [] : options), ...GLOBAL], typed);
}

/** The last item of a list. */
function completeList(typed: string, nodes: readonly Candidate[]): Candidate[] {
  const head = typed.slice(0, Math.max(typed.lastIndexOf(','), typed.lastIndexOf('-')) + 1);
  const given = typed.split(/[,-]/).slice(0, -1);
  return starting(
    nodes.filter(({ value }) => !given.includes(value)).map(({ value, description }) => ({ value: head + value, description })),
    typed,
  );
}

function starting(candidates: readonly Candidate[], typed: string): Candidate[] {
  return candidates.filter(({ value }) => value.startsWith(typed));
}
