/** What could stand at the cursor of a `krg` command line, derived from the commands themselves. */
import type { Command, Option } from 'commander';
import { PROCESS_COLUMNS } from './process-columns.ts';
import { DISABLEABLE_NAMES } from '../node/api/index.ts';
import { capabilityCandidates } from './capability-words.ts';

export interface Candidate {
  readonly value: string;
  readonly description: string;
}

/** What only the cluster knows. */
export interface LiveValues {
  nodes(): Promise<readonly Candidate[]>;
  pids(): Promise<readonly Candidate[]>;
  clusters(): readonly Candidate[];
  users(): readonly Candidate[];
}

/** `files`: the shell completes commands and files. */
export type Completion = readonly Candidate[] | 'files';

/** What follows their options belongs to another program. */
const RUNNERS = ['run', 'nice', 'shell'];
const SHELLS = ['bash', 'zsh', 'fish'];

/** @param words the words after `krg`; the last one is being typed and may be empty */
export async function completeWords(program: Command, words: readonly string[], live: LiveValues): Promise<Completion> {
  const typed = words.at(-1) ?? '';
  const [name, ...rest] = words.slice(0, -1);
  const matching = (candidates: readonly Candidate[]): Candidate[] => candidates.filter(({ value }) => value.startsWith(typed));
  if (name === undefined) return matching([...commandCandidates(program), ...optionCandidates(program)]);
  const command = program.commands.find((each) => each.name() === name);
  if (command === undefined) return [];

  const { operands, awaiting, passed } = readWords(command, rest);
  if (passed) return 'files';
  if (awaiting !== undefined) return matching(await optionValues(awaiting, typed, live));
  if (typed.startsWith('-')) return matching(optionCandidates(command));
  const candidates = await operandCandidates(name, operands, live);
  return candidates === 'files' ? 'files' : matching(candidates);
}

interface WordsRead {
  readonly operands: readonly string[];
  /** The option whose value is being typed. */
  readonly awaiting: Option | undefined;
  /** The words belong to another program. */
  readonly passed: boolean;
}

function readWords(command: Command, words: readonly string[]): WordsRead {
  const operands: string[] = [];
  let awaiting: Option | undefined;
  const runs = RUNNERS.includes(command.name());
  for (const word of words) {
    if (awaiting !== undefined) awaiting = undefined;
    else if (word === '--') return { operands, awaiting, passed: runs };
    else if (word.startsWith('-'))
      awaiting = command.options.find((option) => (option.long === word || option.short === word) && option.required);
    else if (runs) return { operands, awaiting, passed: true };
    else operands.push(word);
  }
  return { operands, awaiting, passed: false };
}

async function operandCandidates(command: string, operands: readonly string[], live: LiveValues): Promise<Completion> {
  switch (command) {
    case 'run':
    case 'nice':
    case 'shell':
      return 'files';
    case 'logs':
    case 'revoke':
      return operands.length === 0 ? live.nodes() : [];
    case 'add':
    case 'drain':
    case 'leave':
    case 'start':
    case 'stop':
      return without(await live.nodes(), operands);
    case 'ps':
    case 'kill':
    case 'wait':
    case 'renice':
      return without(await live.pids(), operands);
    case 'tree':
    case 'caps':
      return operands.length === 0 ? live.pids() : [];
    case 'explain':
      return operands.length === 0 ? live.pids() : operands.length === 1 ? live.nodes() : [];
    case 'migrate':
      if (operands.length === 0) return live.pids();
      return [...(await live.nodes()), ...without(await live.pids(), operands)];
    case 'completion':
      return operands.length === 0 ? SHELLS.map((value) => ({ value, description: '' })) : [];
    default:
      return [];
  }
}

async function optionValues(option: Option, typed: string, live: LiveValues): Promise<readonly Candidate[]> {
  switch (option.long) {
    case '--node':
    case '--at':
      return live.nodes();
    case '--cluster':
      return live.clusters();
    case '--user':
      return live.users();
    case '--columns':
    case '--sort':
      return Object.entries(PROCESS_COLUMNS).map(([value, { means }]) => ({ value, description: means }));
    case '--caps':
    case '--set':
    case '--permitted':
    case '--effective':
    case '--inheritable-permitted':
    case '--inheritable-effective':
      return capabilityCandidates(typed);
    case '--disable':
    case '--enable':
      return capabilityCandidates(typed, DISABLEABLE_NAMES);
    default:
      return [];
  }
}

function commandCandidates(program: Command): Candidate[] {
  const visible = program.createHelp().visibleCommands(program);
  return visible.map((command) => ({ value: command.name(), description: command.description() }));
}

function optionCandidates(command: Command): Candidate[] {
  const visible = command.createHelp().visibleOptions(command);
  return visible.flatMap((option) => (option.long === undefined ? [] : [{ value: option.long, description: option.description }]));
}

function without(candidates: readonly Candidate[], values: readonly string[]): Candidate[] {
  return candidates.filter(({ value }) => !values.includes(value));
}
