import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Context } from './context.ts';
import { createEntry, tombstone } from './entry.ts';
import { NEVER } from './identity.ts';
import { memoryLinker } from './index.ts';
import type { Decision } from './messages.ts';
import { carryOut, endDecision, reportOf } from './reports.ts';
import { resolve, type Witness } from './resolution.ts';
import type { KddmSet } from './sets.ts';
import { createStatistics } from './statistics.ts';

const OBJECT = 7;
const HOME = 3;
const MEMBERS = [1, 2, HOME];

function setOf(self: number): { readonly context: Context; readonly set: KddmSet } {
  const context: Partial<Context> = {
    self,
    epoch: 2,
    members: MEMBERS,
    doubts: [],
    statistics: createStatistics(),
    touch: () => undefined,
    home: () => HOME,
    has: () => false,
  };
  const set: KddmSet = {
    record: {
      namespace: 0,
      set: 10,
      linker: 'memory',
      policy: { kind: 'fixed', node: HOME },
      isExclusive: false,
      isFirstTouchLinked: false,
      replicas: 0,
      unknownAfterCrash: 'lost',
    },
    linker: memoryLinker(4),
    entries: new Map(),
    watches: [],
    lastUse: new Map(),
    termFloor: 0,
  };
  return { context: context as Context, set };
}

const ABSENT: Decision = {
  object: OBJECT,
  owner: HOME,
  term: 25,
  copyset: [],
  rmset: [],
  version: 0,
  born: NEVER,
  fate: 'absent',
};

test('a removal that not all have heard of when the epoch ends is still one in the next: what was handed over before does not come back', () => {
  // Node 1 gave the object to node 2 and does not know that it has arrived; node 2 removed it.
  const handedOver = { to: 2, term: 22, kind: 'content', isDelivered: false, isTargetDead: false } as const;
  const giver: Witness = {
    node: 1,
    object: OBJECT,
    holds: 'none',
    exists: false,
    isLost: false,
    term: 22,
    version: 3,
    copy: 0,
    isHome: false,
    born: NEVER,
    handedOver,
  };
  const others = [2, HOME].map((node) => {
    const { context, set } = setOf(node);
    const entry = createEntry(OBJECT, 'INV_COPY', HOME);
    set.entries.set(OBJECT, entry);
    if (node === 2) {
      entry.term = 23;
      entry.handedOver = tombstone(2, 23, 1);
    }
    carryOut(context, set, ABSENT);
    const known = set.entries.get(OBJECT);
    assert.ok(known);
    const report = reportOf(context, set, known, [MEMBERS], false);
    assert.ok(report);
    // When all have carried it out, nobody needs to remember it.
    assert.equal(endDecision(context, set, known, 'absent'), true);
    assert.equal(set.entries.size, 0);
    return { ...report, node };
  });
  const circumstances = { deaths: 0, replicas: 0, hasHomeDied: false, isUnknownLost: true, has: () => false };
  assert.equal(resolve([giver, ...others], circumstances).fate, 'absent');
  const withoutHome = [giver, ...others].filter(({ node }) => node !== HOME);
  assert.notEqual(resolve(withoutHome, { ...circumstances, deaths: 1, hasHomeDied: true }).fate, 'lives');
});
