import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FamilyDescription, isSameFamily } from './family-description.ts';
import type { Member } from './relatives.ts';

const member = (pid: number, parent: number, ended?: number): FamilyDescription['members'][number] => ({
  pid,
  parent,
  group: 10,
  session: 10,
  ended,
  command: '',
  commandLine: new Uint8Array(),
  users: [0, 0],
  exitSignal: 17,
});
const family = { moving: [10, 11], members: [member(10, 1), member(11, 10), member(12, 10)] };
const now = (...changes: Partial<Member>[]): Member[] => family.members.map((known, n) => ({ ...known, ...changes[n] }));

test('a family is the same until one is born or collected, changes its place, or one that moves has ended', () => {
  assert.ok(isSameFamily(family, now().toReversed()));
  assert.ok(!isSameFamily(family, now().slice(1)));
  assert.ok(!isSameFamily(family, [...now(), member(13, 11)]));
  for (const change of [{ parent: 1 }, { group: 11 }, { session: 11 }, { ended: 0 }]) assert.ok(!isSameFamily(family, now({}, change)));
});

test('that one which stays has ended is told later', () => {
  assert.ok(isSameFamily(family, now({}, {}, { ended: 256 })));
  const told = { ...family, members: [member(10, 1), member(11, 10), member(12, 10, 256)] };
  assert.ok(!isSameFamily(told, now({}, {}, { ended: 9 })));
});
