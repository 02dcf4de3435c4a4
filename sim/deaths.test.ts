/** The owner of an object dies, and one other node has a copy. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Mutation } from '../src/kddm/index.ts';
import type { Client, Scenario, Step } from './scenario.ts';
import { World } from './world.ts';

const SET = 10;
const VALUE = 30_001;

function client(node: number, ...steps: (Pick<Step, 'kind' | 'pauseMs'> & { readonly value?: number })[]): Client {
  const usual = { set: SET, object: 1, variant: {}, holdMs: 0, isRemovedFrozen: false, destination: 1 };
  return { node, steps: steps.map(({ kind, pauseMs, value = 0 }) => ({ ...usual, kind, pauseMs, value })) };
}

/** Node 3 writes and dies, node 2 has read before, node 1 is the home and reads afterwards. */
function scenario(isEvicted: boolean): Scenario {
  return {
    seed: 1,
    nodes: 3,
    sets: [
      {
        namespace: 0,
        set: SET,
        linker: 'number',
        policy: { kind: 'fixed', node: 1 },
        isExclusive: false,
        isFirstTouchLinked: false,
        replicas: 0,
        unknownAfterCrash: 'lost',
      },
    ],
    laterSets: [],
    clients: [
      client(3, { kind: 'grab', pauseMs: 0, value: VALUE }),
      client(2, { kind: 'get', pauseMs: 100 }, ...(isEvicted ? [{ kind: 'flush', pauseMs: 200 } as const] : [])),
      client(1, { kind: 'get', pauseMs: 400 }),
    ],
    faults: [{ kind: 'crash', atMs: 200, node: 3, forMs: 1000 }],
  };
}

function run(isEvicted: boolean, ...mutations: Mutation[]): { readonly violation: string | undefined; readonly lost: number } {
  const { violation, totals } = new World(scenario(isEvicted), { mutations: new Set(mutations) }).run();
  return { violation, lost: totals.results.get('lost') ?? 0 };
}

test('the copy keeps the object, and a node that does not consider it is found', () => {
  assert.deepEqual(run(false), { violation: undefined, lost: 0 });
  assert.match(run(false, 'surviving-copy-ignored').violation ?? '', /declared lost, though only 30001 is possible/);
});

test('a copy that is evicted before its node has heard of the death keeps nothing: the object is lost, and says so', () => {
  assert.deepEqual(run(true), { violation: undefined, lost: 1 });
  assert.match(run(true, 'loss-not-declared').violation ?? '', /read 0, though only 30001 is possible/);
});
