/** Capabilities on the command line of `krg`, and what could stand there. */
import { KorriganError } from '../linux/errors.ts';
import {
  type CapabilitySet,
  DISABLEABLE_NAMES,
  type DisableableCapability,
  namesOf,
  type Operation,
  parseList,
  setOf,
  SUPPORTED,
  SUPPORTED_NAMES,
} from '../node/api/index.ts';
import type { Candidate } from './completion-candidates.ts';

const ALWAYS = setOf('CHANGE_KERRIGHED_CAP');

/**
 * `[+|-]NAME,…`, an octal mask, `all` or `none`. A list without a sign has CHANGE_KERRIGHED_CAP too: who wants to take that away says so with a sign.
 * @throws KorriganError KRG_USAGE
 */
export function readCapabilities(option: string, text: string): { readonly operation: Operation; readonly capabilities: CapabilitySet } {
  if (text === 'all') return { operation: 'replace', capabilities: SUPPORTED };
  if (text === 'none') return { operation: 'replace', capabilities: ALWAYS };
  const list = readExactly(option, text);
  return list.operation === 'replace' && !/^\d/.test(text) ? { ...list, capabilities: list.capabilities | ALWAYS } : list;
}

/** A list for one set, as it stands. @throws KorriganError KRG_USAGE */
export function readExactly(option: string, text: string): { readonly operation: Operation; readonly capabilities: CapabilitySet } {
  const list = parseList(text);
  if ('unknown' in list)
    throw new KorriganError('KRG_USAGE', `${option}: there is no capability "${list.unknown}"; there are ${SUPPORTED_NAMES.join(', ')}`);
  return list;
}

/** @throws KorriganError KRG_USAGE */
export function readDisableable(option: string, text: string): DisableableCapability[] {
  return namesOf(readExactly(option, text).capabilities).map((name) => {
    const found = DISABLEABLE_NAMES.find((each) => each === name);
    if (found !== undefined) return found;
    throw new KorriganError('KRG_USAGE', `${option}: ${name} cannot be disabled for a time; ${DISABLEABLE_NAMES.join(', ')} can`);
  });
}

/** The last item of a list that is being typed. */
export function capabilityCandidates(typed: string, names: readonly string[] = SUPPORTED_NAMES): Candidate[] {
  const sign = /^[+-]/.test(typed) ? typed.charAt(0) : '';
  const head = typed.includes(',') ? typed.slice(0, typed.lastIndexOf(',') + 1) : sign;
  const given = typed.slice(sign.length).split(',').slice(0, -1);
  return names.filter((name) => !given.includes(name)).map((name) => ({ value: head + name, description: '' }));
}
