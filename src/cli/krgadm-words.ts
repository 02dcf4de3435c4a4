/** What a command line of Kerrighed's `krgadm` asks for. Pure. */

/** Which nodes are meant: those of a list, so many more, so many in all, or all. */
export type Selector =
  | { readonly kind: 'list'; readonly ids: readonly number[] }
  | { readonly kind: 'count'; readonly number: number }
  | { readonly kind: 'total'; readonly number: number }
  | { readonly kind: 'all' };

export type KrgadmRequest =
  | { readonly kind: 'help'; readonly isWrong: boolean }
  | { readonly kind: 'version' }
  | { readonly kind: 'complaint'; readonly text: string; readonly stream: 'stdout' | 'stderr' }
  | { readonly kind: 'cluster'; readonly action: 'status' | 'poweroff' | 'reboot' }
  | { readonly kind: 'nodes'; readonly action: 'status' | 'add' | 'del'; readonly selector: Selector };

/** Korrigan's own, understood anywhere on the line: which cluster of this machine, and on which node the command runs. */
export interface Whereabouts {
  readonly cluster?: string;
  readonly at?: string;
}

/** The largest id that a node can have. */
const LARGEST_ID = 4095;
const SELECTORS: Readonly<Record<string, Selector['kind'] | undefined>> = {
  '-n': 'list',
  '--nodes': 'list',
  '-c': 'count',
  '--count': 'count',
  '-t': 'total',
  '--total': 'total',
  '-a': 'all',
  '--all': 'all',
};
const HELP: KrgadmRequest = { kind: 'help', isWrong: false };
const WRONG: KrgadmRequest = { kind: 'help', isWrong: true };
const NOT_ALONE = 'Only one of --all, --count, --total or --nodes option is\nsupported. Aborting.\n';

export function parseKrgadmWords(words: readonly string[]): { readonly request: KrgadmRequest; readonly where: Whereabouts } {
  const { rest, where } = withoutWhereabouts(words);
  return { request: requestOf(rest), where };
}

/** `2,3,6-10` as ids in their order. @returns the name of what is wrong */
export function parseNodeList(text: string): readonly number[] | 'node' | 'first node range' | 'end node range' {
  const ids = new Set<number>();
  for (const item of text.split(',')) {
    const [low = '', high, ...more] = item.split('-');
    if (high === undefined) {
      if (!isId(low)) return 'node';
      ids.add(Number(low));
      continue;
    }
    if (!isId(low)) return 'first node range';
    if (!isId(high) || more.length > 0) return 'end node range';
    for (let id = Number(low); id <= Number(high); id++) ids.add(id);
  }
  return [...ids].toSorted((one, other) => one - other);
}

/** As `[1,2]`. */
export function formatNodeList(ids: readonly number[]): string {
  return `[${ids.join(',')}]`;
}

function isId(text: string): boolean {
  return /^\d{1,6}$/.test(text) && Number(text) <= LARGEST_ID;
}

function requestOf([mode, ...rest]: readonly string[]): KrgadmRequest {
  if (mode === undefined || mode === '-h' || mode === '--help') return HELP;
  if (mode === '--version') return { kind: 'version' };
  if (mode === 'cluster') {
    const [action = 'status', ...more] = rest;
    const isKnown = action === 'status' || action === 'poweroff' || action === 'reboot';
    return isKnown && more.length === 0 ? { kind: 'cluster', action } : WRONG;
  }
  return mode === 'nodes' ? nodesRequest(rest) : WRONG;
}

function nodesRequest(words: readonly string[]): KrgadmRequest {
  const [first] = words;
  const isNamed = first === 'status' || first === 'add' || first === 'del';
  const action = isNamed ? first : 'status';
  const selector = selectorOf(isNamed ? words.slice(1) : words);
  if (selector === 'wrong') return WRONG;
  if (selector !== undefined && 'text' in selector) return selector;
  if (action !== 'status') return selector === undefined ? WRONG : { kind: 'nodes', action, selector };
  const shown = selector ?? { kind: 'all' };
  return shown.kind === 'list' || shown.kind === 'all' ? { kind: 'nodes', action, selector: shown } : WRONG;
}

/** @returns undefined when there is none */
function selectorOf(words: readonly string[]): Selector | Extract<KrgadmRequest, { kind: 'complaint' }> | 'wrong' | undefined {
  let selector: Selector | undefined;
  const rest = [...words];
  while (rest.length > 0) {
    const { name, value: attached } = splitOption(rest.shift() ?? '');
    const kind = SELECTORS[name];
    if (kind === undefined || (kind === 'all' && attached !== undefined)) return 'wrong';
    if (selector !== undefined) return { kind: 'complaint', text: NOT_ALONE, stream: 'stdout' };
    if (kind === 'all') {
      selector = { kind };
      continue;
    }
    const value = attached ?? rest.shift();
    if (value === undefined) return 'wrong';
    const read = readValue(kind, value);
    if (typeof read === 'string') return { kind: 'complaint', text: `${read}: Invalid argument\n`, stream: 'stderr' };
    selector = read;
  }
  return selector;
}

function readValue(kind: Exclude<Selector['kind'], 'all'>, value: string): Selector | string {
  if (kind !== 'list') return /^-?\d{1,6}$/.test(value) ? { kind, number: Number(value) } : 'nodes number';
  const ids = parseNodeList(value);
  return typeof ids === 'string' ? ids : { kind, ids };
}

/** `-n2`, `--nodes=2`, `-n` and `--nodes`, as getopt_long(3) takes them. */
function splitOption(word: string): { name: string; value: string | undefined } {
  if (word.startsWith('--')) {
    const at = word.indexOf('=');
    return at < 0 ? { name: word, value: undefined } : { name: word.slice(0, at), value: word.slice(at + 1) };
  }
  return { name: word.slice(0, 2), value: word.length > 2 ? word.slice(2) : undefined };
}

function withoutWhereabouts(words: readonly string[]): { rest: string[]; where: Whereabouts } {
  const rest: string[] = [];
  const where: { cluster?: string; at?: string } = {};
  const left = [...words];
  while (left.length > 0) {
    const word = left.shift() ?? '';
    const { name, value } = splitOption(word);
    if (name !== '--cluster' && name !== '--at') rest.push(word);
    else where[name === '--at' ? 'at' : 'cluster'] = value ?? left.shift() ?? '';
  }
  return { rest, where };
}
