/** Refusals in words: which capability was missing, why, and how to grant it. */
import { KorriganError } from '../linux/index.ts';
import type { Disabled } from './group-name.ts';
import { type CapabilitySets, contains, namesOf, setOf, type SupportedCapability } from './names.ts';
import type { Denial } from './policy.ts';
import type { Verdict } from './sets.ts';

/** Why a capability does not count for a process, and what to do; undefined when it does. */
export function lacking(
  process: { readonly pid: number; readonly sets: CapabilitySets; readonly disabled: Disabled; readonly denied: readonly Denial[] },
  capability: SupportedCapability,
): string | undefined {
  const { pid, sets, disabled, denied } = process;
  const wanted = setOf(capability);
  const denial = denied.find((each) => each.capability === capability);
  if (denial !== undefined) return `"${denial.rule}" in the configuration of the cluster denies it ${capability}`;
  if (!contains(sets.permitted, wanted))
    return `it lacks ${capability}, which is not among its permitted capabilities and cannot come back; start the program anew`;
  if (!contains(sets.effective, setOf('CHANGE_KERRIGHED_CAP')) && !contains(sets.effective, wanted))
    return `it lacks ${capability}, and without CHANGE_KERRIGHED_CAP its capabilities cannot be changed; start the program anew (krg run --caps +${capability})`;
  if (!contains(sets.effective, wanted)) return `it lacks ${capability}; grant it with krg caps ${pid} --set +${capability}`;
  const times = (disabled as Readonly<Record<string, number | undefined>>)[capability] ?? 0;
  if (times === 0) return undefined;
  return `${capability} is disabled for it at present; krg caps ${pid} --enable ${capability} ends that${times === 1 ? '' : `, when called ${times} times`}`;
}

export function refused(pid: number, verdict: Exclude<Verdict, { kind: 'granted' }>): KorriganError {
  const list = 'surplus' in verdict ? namesOf(verdict.surplus).join(', ') : '';
  switch (verdict.kind) {
    case 'outside':
      return new KorriganError('KRG_PERMISSION', 'only processes of the cluster have capabilities; name one with its pid');
    case 'inconsistent':
      return new KorriganError('KRG_BAD_REQUEST', `process ${pid} cannot have these sets: ${verdict.what}: ${list}`);
    case 'unsupported':
      return new KorriganError('KRG_NOT_SUPPORTED', `not supported: ${list === '' ? 'a capability without a name' : list}`);
    case 'no-rights':
      return new KorriganError(
        'KRG_NOT_YOUR_PROCESS',
        `process ${pid} belongs to another user; only root and its user handle its capabilities`,
      );
    case 'fixed':
      return new KorriganError(
        'KRG_CAPABILITY_MISSING',
        `the capabilities of process ${pid} cannot be changed: it lacks CHANGE_KERRIGHED_CAP, which nobody can give back; start the program anew`,
      );
    case 'in-use':
      return new KorriganError(
        'KRG_PROCESS_BUSY',
        `process ${pid} needs ${list} for what is done to it just now; try again when that is over`,
      );
  }
}
