import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type FamilyStep, planFamily, type Relations } from './family.ts';

const relations = (pid: number, parent: number, group: number, session: number, childrenLeft: number[] = []): Relations => ({
  pid,
  parent,
  group,
  session,
  exitSignal: 17,
  childrenLeft,
});

/** A model of the kernel's rules: what the relations are after the steps. */
function execute(
  steps: readonly FamilyStep[],
  here: readonly Relations[],
): Map<number, { parent: number; group: number; session: number }> {
  const world = new Map(here.map(({ pid, parent, group, session }) => [pid, { parent, group, session }]));
  world.set(1, { parent: 0, group: 1, session: 1 });
  const known = (pid: number) => {
    const process = world.get(pid);
    assert.ok(process, `process ${pid} does not exist yet`);
    return process;
  };
  for (const step of steps) {
    switch (step.kind) {
      case 'return':
        known(step.pid);
        break;
      case 'spawn':
      case 'fork': {
        const parent = step.kind === 'spawn' ? 1 : step.parent;
        assert.ok(!world.has(step.pid));
        world.set(step.pid, { parent, group: known(parent).group, session: known(parent).session });
        break;
      }
      case 'new-session':
        Object.assign(known(step.pid), { group: step.pid, session: step.pid });
        break;
      case 'join-group': {
        if (step.group !== step.pid) assert.equal(known(step.group).session, known(step.pid).session, 'setpgid across sessions is EPERM');
        assert.notEqual(known(step.pid).session, step.pid, 'setpgid of a session leader is EPERM');
        known(step.pid).group = step.group;
        break;
      }
    }
  }
  return world;
}

/** Trees as a shell makes them: each child stays in its parent's session or leads its own, in some group of that session. */
const trees = fc
  .array(fc.record({ parent: fc.nat(), leads: fc.boolean(), group: fc.nat() }), { minLength: 1, maxLength: 12 })
  .map((choices) => {
    const tree: Relations[] = [];
    choices.forEach(({ parent, leads, group }, n) => {
      const pid = 65536 + n;
      const mother = n === 0 ? undefined : tree[parent % n];
      const session = mother === undefined || leads ? pid : mother.session;
      const mates = tree.filter((process) => process.session === session && process.group === process.pid).map((process) => process.pid);
      const groups = [...mates, pid];
      tree.push(relations(pid, mother?.pid ?? 1, session === pid ? pid : (groups[group % groups.length] ?? pid), session));
    });
    return tree;
  });

test('the steps of any tree give exactly its relations', () => {
  fc.assert(
    fc.property(trees, (tree) => {
      const world = execute(planFamily(tree, new Set()), []);
      for (const { pid, parent, group, session } of tree) assert.deepEqual(world.get(pid), { parent, group, session });
    }),
  );
});

test('a process that returns needs nothing made, whatever its relatives', () => {
  const alone = relations(65540, 65539, 65538, 65537, [65541]);
  assert.deepEqual(planFamily([alone], new Set([65540])), [{ kind: 'return', pid: 65540 }]);
});

test('a relative that stays is named', () => {
  assert.throws(() => planFamily([relations(65540, 65539, 65540, 65540)], new Set()), /its parent 65539 stays/);
  assert.throws(() => planFamily([relations(65540, 1, 65540, 65540, [65541])], new Set()), /its child 65541 stays/);
  assert.throws(() => planFamily([relations(65540, 1, 65540, 65530)], new Set()), /session 65530/);
});
