/** The tables of sync as users see them. */
import type { NodeId } from '../../rpc/index.ts';
import { keyParts, type Owner, type Table } from '../../sync/index.ts';
import type { SyncClaim, SyncThing } from '../api/sync-types.ts';

type SyncObject = Table['objects'] extends ReadonlyMap<string, infer Each> ? Each : never;

interface Claimed {
  readonly owner: Owner;
  readonly since: number;
  readonly mode?: 'shared' | 'exclusive';
  readonly count?: number;
  readonly token?: number;
}

/** @param mayBeSeen by the space of a name @param nameOf a node's name */
export function describeTables(
  tables: readonly Table[],
  mayBeSeen: (space: string) => boolean,
  nameOf: (node: NodeId) => string,
): SyncThing[] {
  const claimOf = ({ owner, since, mode, count, token }: Claimed): SyncClaim => ({
    node: nameOf(owner.node),
    label: owner.label,
    since,
    ...(mode !== undefined && { mode }),
    ...(count !== undefined && { count }),
    ...(token !== undefined && { token }),
  });
  return tables
    .flatMap(({ objects }) => [...objects])
    .filter(([key]) => mayBeSeen(keyParts(key).space))
    .map(([key, object]) => ({ ...keyParts(key), object }))
    .map(({ kind, space, name, object }): SyncThing => {
      const { holders, waiters } = claimsOf(object);
      return { kind, uid: Number(space), name, ...detailsOf(object), holders: holders.map(claimOf), waiters: waiters.map(claimOf) };
    })
    .toSorted((a, b) => a.uid - b.uid || a.name.localeCompare(b.name) || a.kind.localeCompare(b.kind));
}

function claimsOf(object: SyncObject): { readonly holders: readonly Claimed[]; readonly waiters: readonly Claimed[] } {
  switch (object.kind) {
    case 'lock':
    case 'semaphore':
      return { holders: object.holders, waiters: object.queue };
    case 'condition':
    case 'barrier':
      return { holders: [], waiters: object.queue };
    case 'counter':
      return { holders: [], waiters: [] };
  }
}

function detailsOf(object: SyncObject): Pick<SyncThing, 'condition' | 'value' | 'parties'> {
  switch (object.kind) {
    case 'lock':
      return { condition: object.condition };
    case 'semaphore':
      return { value: object.value };
    case 'barrier':
      return { parties: object.parties };
    case 'condition':
      return {};
    case 'counter':
      return { value: object.last };
  }
}
