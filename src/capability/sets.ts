/** What the four sets of a process become: Kerrighed's rules (kerrighed/capability/capability.c), pure. */
import { applied, type CapabilitySet, type CapabilitySets, contains, setOf, type SetChange, SUPPORTED } from './names.ts';

/** Of a process to which nobody has given any. @param effective what it may do, and its children */
export function initialSets(effective: CapabilitySet): CapabilitySets {
  return { permitted: SUPPORTED, effective, inheritablePermitted: SUPPORTED, inheritableEffective: effective };
}

/** Those of a child at its fork; exec changes nothing. */
export function childSets({ inheritablePermitted, inheritableEffective }: CapabilitySets): CapabilitySets {
  return {
    permitted: inheritablePermitted,
    effective: inheritableEffective & inheritablePermitted,
    inheritablePermitted,
    inheritableEffective,
  };
}

export function changed(sets: CapabilitySets, changes: readonly SetChange[]): CapabilitySets {
  return changes.reduce((present, change) => ({ ...present, [change.set]: applied(present[change.set], change) }), sets);
}

/** Everything that decides whether sets are changed. */
export interface Request {
  readonly present: CapabilitySets;
  readonly requested: CapabilitySets;
  /** Is the process in a container? */
  readonly isInside: boolean;
  /** Has the caller the rights over it that kill(2) asks for? */
  readonly isAllowed: boolean;
  /** Capabilities in whose name something is being done to it just now. */
  readonly inUse: CapabilitySet;
}

/** `errno`: what Kerrighed answered. */
export type Verdict =
  | { readonly kind: 'granted'; readonly sets: CapabilitySets }
  | { readonly kind: 'outside'; readonly errno: 'EPERM' }
  | { readonly kind: 'inconsistent'; readonly errno: 'EINVAL'; readonly what: string; readonly surplus: CapabilitySet }
  | { readonly kind: 'unsupported'; readonly errno: 'ENOSYS'; readonly surplus: CapabilitySet }
  | { readonly kind: 'no-rights'; readonly errno: 'EPERM' }
  | { readonly kind: 'fixed'; readonly errno: 'EPERM' }
  | { readonly kind: 'in-use'; readonly errno: 'EBUSY'; readonly surplus: CapabilitySet };

/** The first rule that is broken decides. */
export function judge({ present, requested, isInside, isAllowed, inUse }: Request): Verdict {
  if (!isInside) return { kind: 'outside', errno: 'EPERM' };
  const { permitted, effective, inheritablePermitted, inheritableEffective } = requested;
  const nested = [
    { what: 'effective capabilities are not permitted', part: effective, whole: permitted },
    { what: 'inheritable permitted capabilities are not permitted', part: inheritablePermitted, whole: permitted },
    { what: 'inheritable effective capabilities are not inheritable permitted', part: inheritableEffective, whole: inheritablePermitted },
  ];
  for (const { what, part, whole } of nested)
    if (!contains(whole, part)) return { kind: 'inconsistent', errno: 'EINVAL', what, surplus: part & ~whole };
  if (!contains(SUPPORTED, permitted)) return { kind: 'unsupported', errno: 'ENOSYS', surplus: permitted & ~SUPPORTED };
  if (!isAllowed) return { kind: 'no-rights', errno: 'EPERM' };
  if (!contains(present.effective, setOf('CHANGE_KERRIGHED_CAP'))) return { kind: 'fixed', errno: 'EPERM' };
  if (!contains(effective, inUse)) return { kind: 'in-use', errno: 'EBUSY', surplus: inUse & ~effective };
  const left = present.permitted;
  return {
    kind: 'granted',
    sets: {
      permitted: permitted & left,
      effective: effective & left,
      inheritablePermitted: inheritablePermitted & left,
      inheritableEffective: inheritableEffective & left,
    },
  };
}
