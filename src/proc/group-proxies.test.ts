import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planProxies } from './group-proxies.ts';

const here = [
  { pid: 1, parent: 0, group: 1, session: 1 },
  { pid: 100, parent: 1, group: 100, session: 100 },
  { pid: 101, parent: 100, group: 101, session: 100 },
  { pid: 102, parent: 100, group: 101, session: 100, ended: 0 },
  { pid: 103, parent: 100, group: 103, session: 100 },
  { pid: 200, parent: 1, group: 200, session: 200 },
];

test('groups of husks and of visitors need a proxy, made by a husk of the session, best of the group', () => {
  const plan = planProxies(here, new Set([100, 101]), new Set([103, 200]), new Map());
  assert.deepEqual(plan.missing, [
    { group: 100, creator: 100 },
    { group: 101, creator: 101 },
    { group: 103, creator: 100 },
  ]);
  assert.deepEqual(plan.superfluous, []);
});

test('a group has one proxy, as long as somebody in it concerns other nodes', () => {
  const proxies = new Map([
    [101, 900],
    [103, 901],
    [300, 902],
  ]);
  const plan = planProxies(here, new Set([101]), new Set(), proxies);
  assert.deepEqual(plan, { missing: [], superfluous: [901, 902] });
});
