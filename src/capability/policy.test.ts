import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_CAPABILITIES, namesOf, setOf, SUPPORTED } from './names.ts';
import { Policy, policySchema } from './policy.ts';
import { lacking } from './refusals.ts';
import { NOT_DISABLED } from './group-name.ts';
import { initialSets } from './sets.ts';

const uidOf = (name: string): number | undefined => (name === 'alice' ? 1000 : undefined);
const policy = (configuration: unknown): Policy => new Policy(policySchema.parse(configuration), uidOf);
const effective = (of: Policy, commands: string[], user = 0, cgroup = '/a1'): string[] =>
  namesOf(of.setsOf({ commands, user, cgroup }).effective);

test('without a configuration everything that can be moved may be', () => {
  const none = policy({});
  assert.equal(none.setsOf(undefined).effective, DEFAULT_CAPABILITIES);
  assert.deepEqual(none.setsOf(undefined), initialSets(setOf('CHANGE_KERRIGHED_CAP', 'CAN_MIGRATE')));
  assert.equal(none.setsOf(undefined).permitted, SUPPORTED);
  assert.equal(none.hasRules, false);
  assert.deepEqual(namesOf(policy({ initial: ['CHANGE_KERRIGHED_CAP'] }).setsOf(undefined).effective), ['CHANGE_KERRIGHED_CAP']);
});

test('rules go by command, user and group, all that a rule names; later ones win', () => {
  const rules = policy({
    initial: ['CHANGE_KERRIGHED_CAP'],
    rules: [
      { command: 'make*', allow: ['DISTANT_FORK', 'CAN_MIGRATE'] },
      { user: 'alice', allow: ['CAN_MIGRATE'] },
      { user: 1001, cgroup: '/batch/*', allow: ['CHECKPOINTABLE'] },
      { command: 'makewhatis', deny: ['DISTANT_FORK'] },
      { user: 'nobody-here', allow: ['SEE_LOCAL_PROC_STAT'] },
    ],
  });
  assert.deepEqual(effective(rules, ['sh']), ['CHANGE_KERRIGHED_CAP']);
  assert.deepEqual(effective(rules, ['sh', 'make']), ['CHANGE_KERRIGHED_CAP', 'CAN_MIGRATE', 'DISTANT_FORK']);
  assert.deepEqual(effective(rules, ['makewhatis']), ['CHANGE_KERRIGHED_CAP', 'CAN_MIGRATE']);
  assert.deepEqual(effective(rules, ['remake']), ['CHANGE_KERRIGHED_CAP']);
  assert.deepEqual(effective(rules, ['sh'], 1000), ['CHANGE_KERRIGHED_CAP', 'CAN_MIGRATE']);
  assert.deepEqual(effective(rules, ['sh'], 1001, '/batch/7'), ['CHANGE_KERRIGHED_CAP', 'CHECKPOINTABLE']);
  assert.deepEqual(effective(rules, ['sh'], 1001, '/other'), ['CHANGE_KERRIGHED_CAP']);
});

test('what a rule denies is denied whatever the sets say, and the refusal names it', () => {
  const rules = policy({ rules: [{ name: 'databases stay', command: 'postgres', deny: ['CAN_MIGRATE'] }] });
  const subject = { commands: ['postgres'], user: 0, cgroup: '/' };
  assert.deepEqual(rules.denialsFor(subject), [{ capability: 'CAN_MIGRATE', rule: 'databases stay' }]);
  assert.deepEqual(rules.denialsFor({ ...subject, commands: ['mysqld'] }), []);
  const found = { pid: 7, sets: initialSets(SUPPORTED), disabled: NOT_DISABLED, denied: rules.denialsFor(subject) };
  assert.match(lacking(found, 'CAN_MIGRATE') ?? '', /databases stay/);
  assert.equal(lacking(found, 'DISTANT_FORK'), undefined);
});

test('a refusal says what to do', () => {
  const of = (over: object): string | undefined =>
    lacking({ pid: 7, sets: initialSets(SUPPORTED), disabled: NOT_DISABLED, denied: [], ...over }, 'CAN_MIGRATE');
  assert.equal(of({}), undefined);
  assert.match(of({ sets: initialSets(setOf('CHANGE_KERRIGHED_CAP')) }) ?? '', /lacks CAN_MIGRATE.*krg caps 7 --set \+CAN_MIGRATE/);
  assert.match(of({ sets: initialSets(0) }) ?? '', /CHANGE_KERRIGHED_CAP.*start the program anew/);
  assert.match(of({ sets: { ...initialSets(1), permitted: 1 } }) ?? '', /permitted.*start the program anew/);
  assert.match(of({ disabled: { ...NOT_DISABLED, CAN_MIGRATE: 2 } }) ?? '', /disabled.*krg caps 7 --enable CAN_MIGRATE.*2 times/);
  assert.equal(of({ disabled: { ...NOT_DISABLED, DISTANT_FORK: 2 } }), undefined);
});

test('rules that say nothing are refused', () => {
  for (const wrong of [
    [{ command: 'make' }],
    [{ allow: ['CAN_MIGRATE'] }],
    [{ command: 'make', allow: ['CAN_FLY'] }],
    [{ command: 'make', allow: ['DEBUG'] }],
    [{ commands: 'make', allow: [] }],
    'make',
  ])
    assert.ok(!policySchema.safeParse({ rules: wrong }).success, JSON.stringify(wrong));
});
