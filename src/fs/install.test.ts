import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { planPlacement } from './install.ts';

/** Plays the kernel: what is received lands on the lowest free numbers, and the plan is carried out step by step. */
function play(plan: ReturnType<typeof planPlacement>): Map<number, number> {
  const table = new Map<number, number>([[plan.socket, -1]]);
  let lowest = 0;
  for (const description of plan.order) {
    while (table.has(lowest)) lowest++;
    assert.equal(lowest, plan.landing[plan.order.indexOf(description, 0)] ?? lowest);
    table.set(lowest, description);
  }
  for (const { from, to } of plan.moves) {
    assert.ok(table.has(from));
    assert.notEqual(to, plan.socket);
    table.set(to, table.get(from) ?? -1);
  }
  for (const fd of plan.close) assert.ok(table.delete(fd));
  table.delete(plan.socket);
  return table;
}

test('every table and all extras end up under their numbers', () => {
  const tables = fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 40 });
  fc.assert(
    fc.property(tables, fc.nat(5), fc.array(fc.boolean(), { minLength: 64, maxLength: 64 }), (fds, extraCount, flags) => {
      const descriptors = fds.map((fd, n) => ({ fd, description: n, closeOnExec: flags[fd] ?? false }));
      const extras = Array.from({ length: extraCount }, (_, n) => 1000 + n);
      const plan = planPlacement(descriptors, extras);
      const table = play(plan);
      assert.deepEqual(
        [...table].toSorted(([a], [b]) => a - b),
        [
          ...descriptors.map(({ fd, description }): [number, number] => [fd, description]),
          ...extras.map((id): [number, number] => [plan.extras.get(id) ?? -1, id]),
        ].toSorted(([a], [b]) => a - b),
      );
      const marked = new Set([...plan.moves.filter(({ closeOnExec }) => closeOnExec).map(({ to }) => to), ...plan.setCloseOnExec]);
      for (const { fd, closeOnExec } of descriptors) assert.equal(marked.has(fd), closeOnExec);
    }),
  );
});
