import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { applied, type CapabilitySets, contains, namesOf, parseList, SET_NAMES, setOf, SUPPORTED } from './names.ts';
import { changed, childSets, initialSets, judge, type Request } from './sets.ts';

const CHANGE = setOf('CHANGE_KERRIGHED_CAP');
const any = fc.integer({ min: 0, max: 0xfff });
const anySets = fc.record({ permitted: any, effective: any, inheritablePermitted: any, inheritableEffective: any });
/** As rules leave them. */
const sound = anySets.map(({ permitted, effective, inheritablePermitted, inheritableEffective }) => {
  const p = permitted & SUPPORTED;
  const ip = inheritablePermitted & p;
  return { permitted: p, effective: effective & p, inheritablePermitted: ip, inheritableEffective: inheritableEffective & ip };
});

function isSound({ permitted, effective, inheritablePermitted, inheritableEffective }: CapabilitySets): boolean {
  return (
    contains(SUPPORTED, permitted) &&
    contains(permitted, effective | inheritablePermitted) &&
    contains(inheritablePermitted, inheritableEffective)
  );
}

function request(over: Partial<Request>): Request {
  const present = initialSets(SUPPORTED);
  return { present, requested: present, isInside: true, isAllowed: true, inUse: 0, ...over };
}

test('a child has what is inheritable, in every combination of the four sets', () => {
  // One capability is in each set or not: the sets of one capability do not touch those of another.
  const bit = setOf('DISTANT_FORK');
  for (let n = 0; n < 16; n++) {
    const has = (at: number): number => ((n >> at) & 1) * bit;
    const sets = { permitted: has(0), effective: has(1), inheritablePermitted: has(2), inheritableEffective: has(3) };
    assert.deepEqual(childSets(sets), {
      permitted: has(2),
      effective: has(2) & has(3),
      inheritablePermitted: has(2),
      inheritableEffective: has(3),
    });
  }
});

test('a grandchild has what its parent has', () => {
  fc.assert(fc.property(sound, (sets) => assert.deepEqual(childSets(childSets(sets)), childSets(sets))));
  fc.assert(fc.property(sound, (sets) => assert.ok(isSound(childSets(sets)))));
});

test('what is granted is what was asked for, as far as it was permitted before', () => {
  fc.assert(
    fc.property(sound, anySets, any, (present, requested, inUse) => {
      const verdict = judge(request({ present, requested, inUse }));
      if (verdict.kind !== 'granted') return;
      assert.ok(isSound(verdict.sets));
      assert.ok(contains(present.permitted, verdict.sets.permitted), 'permitted never grows');
      for (const name of SET_NAMES) assert.equal(verdict.sets[name], requested[name] & present.permitted);
    }),
  );
});

test('the first rule that is broken decides', () => {
  const present = initialSets(SUPPORTED);
  const fixed = { ...present, effective: SUPPORTED & ~CHANGE };
  const unsupported = setOf('DEBUG');
  const inconsistent = { ...present, permitted: 0 };
  const foreign = {
    permitted: SUPPORTED | unsupported,
    effective: SUPPORTED,
    inheritablePermitted: SUPPORTED,
    inheritableEffective: SUPPORTED,
  };
  // Each request breaks its own rule and all that come later.
  const last = { present: fixed, isAllowed: false, inUse: SUPPORTED };
  const cases = [
    [{ ...last, requested: inconsistent, isInside: false }, 'outside', 'EPERM'],
    [{ ...last, requested: inconsistent }, 'inconsistent', 'EINVAL'],
    [{ ...last, requested: foreign }, 'unsupported', 'ENOSYS'],
    [{ ...last, requested: { ...present, effective: 0 } }, 'no-rights', 'EPERM'],
    [{ ...last, requested: { ...present, effective: 0 }, isAllowed: true }, 'fixed', 'EPERM'],
    [{ present, requested: { ...present, effective: 0 }, inUse: setOf('CAN_MIGRATE') }, 'in-use', 'EBUSY'],
  ] as const;
  for (const [over, kind, errno] of cases) {
    const verdict = judge(request(over));
    assert.deepEqual([verdict.kind, 'errno' in verdict ? verdict.errno : ''], [kind, errno]);
  }
});

test('each of the three relations between sets is asked for', () => {
  const bit = setOf('CAN_MIGRATE');
  const nothing = { permitted: 0, effective: 0, inheritablePermitted: 0, inheritableEffective: 0 };
  for (const wrong of [
    { ...nothing, effective: bit },
    { ...nothing, inheritablePermitted: bit },
    { ...nothing, permitted: bit, inheritableEffective: bit },
  ]) {
    const verdict = judge(request({ requested: wrong }));
    assert.ok(verdict.kind === 'inconsistent');
    assert.deepEqual(namesOf(verdict.surplus), ['CAN_MIGRATE']);
  }
});

test('changes are made one after the other', () => {
  const before = initialSets(CHANGE);
  const after = changed(before, [
    { set: 'effective', operation: 'add', capabilities: setOf('CAN_MIGRATE', 'DISTANT_FORK') },
    { set: 'effective', operation: 'remove', capabilities: setOf('DISTANT_FORK') },
    { set: 'inheritableEffective', operation: 'replace', capabilities: 0 },
  ]);
  assert.deepEqual(after, { ...before, effective: setOf('CHANGE_KERRIGHED_CAP', 'CAN_MIGRATE'), inheritableEffective: 0 });
});

test('lists are read as krgcapset reads them', () => {
  assert.deepEqual(parseList('+CAN_MIGRATE,DISTANT_FORK'), { operation: 'add', capabilities: 6 });
  assert.deepEqual(parseList('-can_migrate'), { operation: 'remove', capabilities: 2 });
  assert.deepEqual(parseList('CHECKPOINTABLE'), { operation: 'replace', capabilities: 16 });
  assert.deepEqual(parseList('01067'), { operation: 'replace', capabilities: 0o1067 });
  assert.deepEqual(parseList('12'), { operation: 'replace', capabilities: 0o12 });
  assert.deepEqual(parseList(''), { operation: 'replace', capabilities: 0 });
  for (const wrong of ['CAN_FLY', '+CAN_MIGRATE,CAN_FLY', '8', '0x1']) assert.ok('unknown' in parseList(wrong), wrong);
  fc.assert(
    fc.property(any, any, (set, other) => {
      assert.equal(
        applied(applied(set, { operation: 'add', capabilities: other }), { operation: 'remove', capabilities: other }),
        set & ~other,
      );
    }),
  );
});
