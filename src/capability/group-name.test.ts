import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Given, givenIn, givenSchema, groupNameFor, NOT_DISABLED, splitPath } from './group-name.ts';
import { setOf, SUPPORTED } from './names.ts';
import { childSets, initialSets } from './sets.ts';

const any = fc.integer({ min: 0, max: 0xfff });
const count = fc.integer({ min: 0, max: 999 });
const given: fc.Arbitrary<Given> = fc
  .record({
    sets: fc.record({ permitted: any, effective: any, inheritablePermitted: any, inheritableEffective: any }),
    disabled: fc.record({ CAN_MIGRATE: count, DISTANT_FORK: count, CHECKPOINTABLE: fc.constant(0) }),
  })
  .map(({ sets, disabled }) => {
    const permitted = sets.permitted & SUPPORTED;
    const inheritablePermitted = sets.inheritablePermitted & permitted;
    return {
      sets: {
        permitted,
        effective: sets.effective & permitted,
        inheritablePermitted,
        inheritableEffective: sets.inheritableEffective & inheritablePermitted,
      },
      disabled: { ...disabled },
    };
  });
const owner = fc.record({ pid: fc.integer({ min: 1, max: 4_194_304 }), startTime: fc.integer({ min: 1, max: 2 ** 45 }) });
const BASE = '/korrigan/demo/node1/processes/a1';

test('who was given sets has them, everybody else in its group those of a child', () => {
  fc.assert(
    fc.property(given, owner, owner, (what, self, other) => {
      fc.pre(self.pid !== other.pid || self.startTime !== other.startTime);
      const path = `${BASE}/${groupNameFor(what, self)}`;
      assert.deepEqual(givenIn(path, self), what);
      assert.deepEqual(givenIn(path, other), { sets: childSets(what.sets), disabled: NOT_DISABLED });
    }),
  );
});

test('a later process with the same pid is another one', () => {
  const what = { sets: { ...initialSets(SUPPORTED), inheritableEffective: 0 }, disabled: NOT_DISABLED };
  const path = `${BASE}/${groupNameFor(what, { pid: 70_000, startTime: 5 })}`;
  assert.equal(givenIn(path, { pid: 70_000, startTime: 5 })?.sets.effective, SUPPORTED);
  assert.equal(givenIn(path, { pid: 70_000, startTime: 6 })?.sets.effective, 0);
});

test('who has what its children have shares its group with all who have the same', () => {
  const what = { sets: initialSets(setOf('CAN_MIGRATE')), disabled: NOT_DISABLED };
  assert.equal(groupNameFor(what, { pid: 1, startTime: 2 }), groupNameFor(what, { pid: 3, startTime: 4 }));
  const held = { ...what, disabled: { ...NOT_DISABLED, CAN_MIGRATE: 1 } };
  assert.notEqual(groupNameFor(held, { pid: 1, startTime: 2 }), groupNameFor(held, { pid: 3, startTime: 4 }));
});

test('names are those that the documentation shows', () => {
  const what = {
    sets: { permitted: 0o1067, effective: 3, inheritablePermitted: 0o67, inheritableEffective: 1 },
    disabled: { ...NOT_DISABLED, CAN_MIGRATE: 2 },
  };
  assert.equal(groupNameFor(what, { pid: 65_601, startTime: 4711 }), 'caps-1067-3-67-1-2.0.0-65601-4711');
});

test('groups of other names say nothing, and those that programs make below count for what is above', () => {
  const self = { pid: 70_000, startTime: 5 };
  for (const path of [
    '/',
    BASE,
    `${BASE}/caps-`,
    `${BASE}/caps-1067-3`,
    `${BASE}/caps-1-3-1-1-0.0.0-0-0`,
    `${BASE}/caps-10-10-10-10-0.0.0-0-0`,
  ])
    assert.equal(givenIn(path, self), undefined, path);
  const name = groupNameFor({ sets: initialSets(1), disabled: NOT_DISABLED }, self);
  assert.deepEqual(splitPath(`${BASE}/${name}/mine`), { base: BASE, name });
  assert.equal(givenIn(`${BASE}/${name}/mine`, self)?.sets.effective, 1);
  assert.deepEqual(splitPath(BASE), { base: BASE, name: undefined });
});

test('what another node says is checked', () => {
  fc.assert(fc.property(given, (what) => assert.deepEqual(givenSchema.parse(what), what)));
  const sets = initialSets(3);
  for (const wrong of [
    { ...sets, permitted: 1 },
    { ...sets, effective: SUPPORTED + 0o2000 },
    { ...sets, inheritablePermitted: 1 },
    { ...sets, inheritableEffective: -1 },
    { ...sets, permitted: 0o10 | SUPPORTED },
  ])
    assert.ok(!givenSchema.safeParse({ sets: wrong, disabled: NOT_DISABLED }).success);
  assert.ok(!givenSchema.safeParse({ sets, disabled: { ...NOT_DISABLED, CAN_MIGRATE: -1 } }).success);
});
