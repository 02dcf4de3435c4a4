import type { SyncClaim, SyncListing, SyncThing } from '../../node/api/index.ts';
import { nodeClient } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { formatStart, formatTable, outputWidth, printable, printJson } from '../output.ts';
import type { Column } from '../output.ts';
import { describeDeadlock, waitOptions } from '../sync-texts.ts';
import { userNames } from '../users.ts';

export interface LocksOptions extends CommonOptions {
  readonly remove?: string;
  readonly user?: string;
}

interface Row {
  readonly thing: SyncThing;
  readonly what: string;
  readonly claim: SyncClaim | undefined;
}

/** What is held and waited for in the cluster; or makes a lock that is not recoverable usable again. */
export async function locks(options: LocksOptions): Promise<number> {
  const client = nodeClient(options);
  if (options.remove !== undefined) {
    await using session = await client.sync('krg locks --remove');
    await session.remove('lock', options.remove, waitOptions(options.remove, undefined, options.user));
    return 0;
  }
  const listing = await client.locks();
  if (options.json === true) printJson(listing);
  else process.stdout.write(formatLocks(listing, Date.now(), outputWidth()));
  return 0;
}

export function formatLocks({ things, deadlocks }: SyncListing, now: number, width = Infinity): string {
  const nameOf = userNames();
  const columns: readonly Column<Row>[] = [
    { title: 'NAME', value: ({ thing }) => thing.name },
    { title: 'KIND', value: ({ thing }) => thing.kind },
    { title: 'USER', value: ({ thing }) => nameOf(thing.uid) },
    { title: 'WHAT', value: ({ what }) => what },
    { title: 'NODE', value: ({ claim }) => claim?.node ?? '-' },
    { title: 'SINCE', value: ({ claim }) => (claim === undefined ? '-' : formatStart(claim.since, now)) },
    { title: 'WHO', value: ({ claim }) => claim?.label ?? '-' },
  ];
  const circles = deadlocks.map((links) => `\n${describeDeadlock(links)}`).join('');
  return formatTable(columns, things.flatMap(rowsOf), width) + circles;
}

function rowsOf(thing: SyncThing): Row[] {
  const rows = [
    ...thing.holders.map((claim): Row => ({ thing, what: `holds ${detailOf(claim)}`.trimEnd(), claim })),
    ...thing.waiters.map((claim): Row => ({ thing, what: `waits ${detailOf(claim)}`.trimEnd(), claim })),
  ];
  const state = stateOf(thing, rows.length > 0);
  return state === undefined ? rows : [{ thing, what: printable(state), claim: undefined }, ...rows];
}

function detailOf({ mode, count }: SyncClaim): string {
  if (mode !== undefined) return mode;
  return count === undefined ? '' : `(${count})`;
}

function stateOf({ kind, condition, value, parties, waiters }: SyncThing, isUsed: boolean): string | undefined {
  switch (kind) {
    case 'lock':
      if (condition === 'not-recoverable') return 'not recoverable';
      if (condition === 'inconsistent') return 'its owner died';
      return isUsed ? undefined : 'free';
    case 'semaphore':
      return `${value ?? 0} left`;
    case 'barrier':
      return `${waiters.length} of ${parties ?? 0} came`;
    case 'counter':
      return `up to ${value ?? 0} given`;
    case 'condition':
      return undefined;
  }
}
