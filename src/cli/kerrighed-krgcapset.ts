/**
 * Kerrighed's own `krgcapset`: the capabilities of a process, by default of the shell that calls it. What it prints is Kerrighed's. Beyond it: `--cluster` and
 * `--at`, reasons on stderr, and exit status 1 where something was refused (Kerrighed's ended with 0 when it could not set what it was told to).
 */
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { toKorriganError } from '../linux/errors.ts';
import {
  applied,
  type CapabilitySet,
  type CapabilitySets,
  contains,
  formatMask,
  namesOf,
  type NodeClient,
  parseList,
  runningClusters,
  type SetChange,
  setOf,
  SUPPORTED,
} from '../node/api/index.ts';
import type { Candidate } from './completion-candidates.ts';
import { completeKrgcapset } from './krgcapset-completion.ts';
import { type KrgcapsetRequest, type KrgcapsetStep, parseKrgcapsetWords } from './krgcapset-words.ts';
import { describedCluster, nodeClient } from './options.ts';
import { printable } from './output.ts';
import { strerror } from './perror.ts';
import { version } from './version.ts';

const USAGE_TEXT = `Usage: krgcapset [-h|--help] [-v|--version]
  or:  krgcapset [-k|--pid PID] -s|--show
  or:  krgcapset [-f|--force] [-k|--pid PID] {SET {[+|-]CAPABILITY LIST | OCTAL VALUE}...}
  -h, --help                   this help
  -v, --version                the version
  -k, --pid PID                the process (default: the one that calls krgcapset)
  -s, --show                   show its capabilities
  -f, --force                  ask nothing

SET is one of:
  -e, --effective              what it may do
  -p, --permitted              what it may ever do
  -d, --inheritable-effective  what its children may do
  -i, --inheritable-permitted  what they may ever do

Everywhere:
  --cluster NAME               a cluster of this machine (default: the one around, or KRG_CLUSTER)
  --at NODE                    ask the daemon of this node

A CAPABILITY LIST has commas between its items, which are among:
`;
const HEADINGS = [
  ['Permitted', 'permitted'],
  ['Effective', 'effective'],
  ['Inheritable Permitted', 'inheritablePermitted'],
  ['Inheritable Effective', 'inheritableEffective'],
] as const satisfies readonly (readonly [string, keyof CapabilitySets])[];
const LINE_WIDTH = 80;
const INDENT_WIDTH = 8;
const OWN_ERRNO = {
  KRG_BAD_REQUEST: constants.errno.EINVAL,
  KRG_PROCESS_BUSY: constants.errno.EBUSY,
};

export async function kerrighedKrgcapset(words: readonly string[]): Promise<number> {
  // For the shell, as `krg complete`.
  if (words[0] === 'complete' && words[1] === '--') return complete(words.slice(2));
  const request = parseKrgcapsetWords(words);
  switch (request.kind) {
    case 'help':
      process.stdout.write(USAGE_TEXT + formatNames(SUPPORTED));
      return 0;
    case 'version':
      process.stdout.write(`krgcapset (Korrigan) ${version()}\n`);
      return 0;
    case 'wrong':
      process.stderr.write(`krgcapset: ${request.complaint}\n`);
      if (!request.complaint.startsWith('Conflict')) process.stdout.write(USAGE_TEXT + formatNames(SUPPORTED));
      return 1;
    case 'steps':
      return await carryOut(request);
  }
}

/** Names of a set as Kerrighed lays them out: behind a tab, with commas, in lines of less than 80 columns. */
export function formatNames(set: CapabilitySet): string {
  let text = '';
  let column = INDENT_WIDTH;
  for (const name of namesOf(set)) {
    const width = name.length + 2;
    const isFirst = column === INDENT_WIDTH;
    if (column + width >= LINE_WIDTH) {
      text += `\n\t${name}`;
      column = INDENT_WIDTH + width;
    } else {
      text += `${isFirst ? '\t' : ', '}${name}`;
      column += isFirst ? width : width + 2;
    }
  }
  return `${text}\n`;
}

export function formatSets(sets: CapabilitySets): string {
  return HEADINGS.map(([heading, name]) => `${heading} Capabilities: ${formatMask(sets[name])}\n${formatNames(sets[name])}`).join('');
}

async function carryOut({ steps, isForced, where }: Extract<KrgcapsetRequest, { kind: 'steps' }>): Promise<number> {
  const changes = readChanges(steps);
  if (changes === undefined) return 1;
  let pid: number | undefined;
  let sets: CapabilitySets | undefined;
  const doing = { text: '' };
  try {
    const client = nodeClient(where);
    const known = async (): Promise<CapabilitySets> => (sets ??= await read(client, pid, doing));
    const rest = [...changes];
    for (const step of steps) {
      if (step.kind === 'pid') {
        ({ pid } = step);
        sets = await read(client, pid, doing);
      } else if (step.kind === 'show') process.stdout.write(formatSets(await known()));
      else {
        const change = rest.shift();
        if (change !== undefined) sets = { ...(await known()), [change.set]: applied((await known())[change.set], change) };
      }
    }
    if (changes.length === 0) return 0;
    if (!isForced && losesControl(await known()) && !(await isSure())) return 0;
    doing.text = pid === undefined ? "Unable to set my father's capabilities" : `Unable to set the capabilities of process ${pid}`;
    await client.changeCapabilities({ ...(pid === undefined ? {} : { pid }), changes });
    return 0;
  } catch (error) {
    const { code, message } = toKorriganError(error);
    if (doing.text !== '') process.stdout.write(`${doing.text}\n`);
    process.stderr.write(`krgcapset: ${strerror(code, OWN_ERRNO)}\nkrgcapset: ${message}\n`);
    return 1;
  }
}

async function read(client: NodeClient, pid: number | undefined, doing: { text: string }): Promise<CapabilitySets> {
  doing.text = pid === undefined ? "Unable to get my father's capabilities" : `Unable to get capabilities of process ${pid}`;
  const { sets } = await client.capabilities(pid);
  doing.text = '';
  return sets;
}

/** All or none. */
function readChanges(steps: readonly KrgcapsetStep[]): SetChange[] | undefined {
  const changes: SetChange[] = [];
  for (const step of steps) {
    if (step.kind !== 'change') continue;
    const list = parseList(step.text);
    if ('unknown' in list) {
      process.stderr.write(`Unrecognized capability: ${printable(list.unknown)}\nAuthorized capability names are:\n`);
      process.stdout.write(formatNames(SUPPORTED));
      return undefined;
    }
    changes.push({ set: step.set, ...list });
  }
  return changes;
}

function losesControl({ permitted, effective }: CapabilitySets): boolean {
  return !contains(permitted & effective, setOf('CHANGE_KERRIGHED_CAP'));
}

async function isSure(): Promise<boolean> {
  process.stdout.write('Are you sure you want to loose the capability to change your capabilities (y/N)\n');
  const lines = createInterface({ input: process.stdin });
  for await (const line of lines) return /^[^yn]*y/i.test(line);
  return false;
}

function complete(words: readonly string[]): number {
  const clusters = (): Candidate[] => runningClusters().map((value) => ({ value, description: '' }));
  const nodes = (): Candidate[] => describedCluster({}).nodes.map(({ name, address }) => ({ value: name, description: address }));
  for (const { value, description } of completeKrgcapset(words, { nodes, clusters })) process.stdout.write(`${value}\t${description}\n`);
  return 0;
}
