/** What a command line of Kerrighed's `krgcapset` asks for, as getopt_long(3) reads it. Pure. */
import type { SetName } from '../node/api/index.ts';

/** In the order of the command line. */
export type KrgcapsetStep =
  | { readonly kind: 'show' }
  | { readonly kind: 'pid'; readonly pid: number }
  | { readonly kind: 'change'; readonly set: SetName; readonly text: string };

export type KrgcapsetRequest =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'wrong'; readonly complaint: string }
  | {
      readonly kind: 'steps';
      readonly steps: readonly KrgcapsetStep[];
      readonly isForced: boolean;
      /** Korrigan's own: which cluster of this machine, and which of its daemons is asked. */
      readonly where: { readonly cluster?: string; readonly at?: string };
    };

interface Option {
  readonly long: string;
  readonly short?: string;
  readonly takesValue: boolean;
}

const OPTIONS: readonly Option[] = [
  { long: 'help', short: 'h', takesValue: false },
  { long: 'version', short: 'v', takesValue: false },
  { long: 'show', short: 's', takesValue: false },
  { long: 'force', short: 'f', takesValue: false },
  { long: 'pid', short: 'k', takesValue: true },
  { long: 'permitted', short: 'p', takesValue: true },
  { long: 'effective', short: 'e', takesValue: true },
  { long: 'inheritable-permitted', short: 'i', takesValue: true },
  { long: 'inheritable-effective', short: 'd', takesValue: true },
  { long: 'cluster', takesValue: true },
  { long: 'at', takesValue: true },
];
const SETS: Readonly<Record<string, SetName | undefined>> = {
  permitted: 'permitted',
  effective: 'effective',
  'inheritable-permitted': 'inheritablePermitted',
  'inheritable-effective': 'inheritableEffective',
};

export function parseKrgcapsetWords(words: readonly string[]): KrgcapsetRequest {
  if (words.length === 0) return { kind: 'help' };
  const found = readOptions(words);
  const asks = (long: string): boolean => found.some((each) => 'option' in each && each.option.long === long);
  // Whatever else stands there.
  if (asks('help')) return { kind: 'help' };
  if (asks('version')) return { kind: 'version' };
  const steps: KrgcapsetStep[] = [];
  const where: { cluster?: string; at?: string } = {};
  for (const each of found) {
    if ('complaint' in each) return { kind: 'wrong', complaint: each.complaint };
    const { option, value } = each;
    const set = SETS[option.long];
    if (set !== undefined) steps.push({ kind: 'change', set, text: value });
    else if (option.long === 'show') steps.push({ kind: 'show' });
    else if (option.long === 'cluster' || option.long === 'at') where[option.long] = value;
    else if (option.long === 'pid') {
      if (!/^[1-9]\d{0,6}$/.test(value)) return { kind: 'wrong', complaint: `"${value}" is no pid` };
      if (steps.some(({ kind }) => kind === 'change'))
        return { kind: 'wrong', complaint: 'Conflict in implementation: -k must be the first option used' };
      steps.push({ kind: 'pid', pid: Number(value) });
    }
  }
  return { kind: 'steps', steps, isForced: asks('force'), where };
}

type Read = { readonly option: Option; readonly value: string } | { readonly complaint: string };

/** Up to `--`; words that are no options say nothing. */
function readOptions(words: readonly string[]): Read[] {
  const found: Read[] = [];
  const rest = [...words];
  const take = (option: Option, name: string, attached: string | undefined): void => {
    if (!option.takesValue) {
      found.push(attached === undefined ? { option, value: '' } : { complaint: `option '${name}' doesn't allow an argument` });
      return;
    }
    const value = attached ?? rest.shift();
    found.push(value === undefined ? { complaint: `option '${name}' requires an argument` } : { option, value });
  };
  for (let word = rest.shift(); word !== undefined && word !== '--'; word = rest.shift()) {
    if (word.startsWith('--')) {
      const [name = '', ...values] = word.slice(2).split('=');
      const exact = OPTIONS.find(({ long }) => long === name);
      const candidates = exact === undefined ? OPTIONS.filter(({ long }) => long.startsWith(name)) : [exact];
      const [option] = candidates;
      if (option === undefined) found.push({ complaint: `unrecognized option '--${name}'` });
      else if (candidates.length > 1) found.push({ complaint: `option '--${name}' is ambiguous` });
      else take(option, `--${name}`, values.length === 0 ? undefined : values.join('='));
      continue;
    }
    if (!word.startsWith('-')) continue;
    for (let letters = word.slice(1); letters !== ''; ) {
      const letter = letters.charAt(0);
      const option = OPTIONS.find(({ short }) => short === letter);
      letters = letters.slice(1);
      if (option === undefined) found.push({ complaint: `invalid option -- '${letter}'` });
      else if (option.takesValue) {
        take(option, letter, letters === '' ? undefined : letters);
        letters = '';
      } else take(option, letter, undefined);
    }
  }
  return found;
}
