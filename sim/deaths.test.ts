/** The owner of an object dies: what others have or had of it. */
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

/** Node 3 dies; node 1 is the home. */
function scenario(atMs: number, clients: readonly Client[], seed = 1, nodes = 3): Scenario {
  return {
    seed,
    nodes,
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
    clients,
    faults: [{ kind: 'crash', atMs, node: 3, forMs: 1000 }],
  };
}

function run(what: Scenario, ...mutations: Mutation[]): { readonly violation: string | undefined; readonly lost: number } {
  const { violation, totals } = new World(what, { mutations: new Set(mutations) }).run();
  return { violation, lost: totals.results.get('lost') ?? 0 };
}

/** Node 3 writes, node 2 has read when it dies, node 1 reads afterwards. */
function withCopy(isEvicted: boolean): Scenario {
  return scenario(200, [
    client(3, { kind: 'grab', pauseMs: 0, value: VALUE }),
    client(2, { kind: 'get', pauseMs: 100 }, ...(isEvicted ? [{ kind: 'flush', pauseMs: 200 } as const] : [])),
    client(1, { kind: 'get', pauseMs: 400 }),
  ]);
}

test('the copy keeps the object, and a node that does not consider it is found', () => {
  assert.deepEqual(run(withCopy(false)), { violation: undefined, lost: 0 });
  assert.match(run(withCopy(false), 'surviving-copy-ignored').violation ?? '', /declared lost, though only 30001 is possible/);
});

test('a copy that is evicted before its node has heard of the death keeps nothing: the object is lost, and says so', () => {
  assert.deepEqual(run(withCopy(true)), { violation: undefined, lost: 1 });
  assert.match(run(withCopy(true), 'loss-not-declared').violation ?? '', /read 0, though only 30001 is possible/);
});

test('what has gone from node to node since is not kept by the first, though it does not know that its hand-over has arrived', () => {
  let losses = 0;
  for (let seed = 1; seed <= 50; seed++) {
    const chain = scenario(
      615,
      [
        client(1, { kind: 'grab', pauseMs: 600, value: 10_001 }, { kind: 'get', pauseMs: 400 }),
        client(2, { kind: 'grab', pauseMs: 604, value: 20_001 }),
        client(3, { kind: 'grab', pauseMs: 608, value: VALUE }),
      ],
      seed,
      4,
    );
    // The epoch that begins with the death of node 4 ends all confirmations, and itself only with the one after.
    const ofNode4 = { kind: 'crash', atMs: 200, node: 4, forMs: 2000 } as const;
    const { violation, lost } = run({ ...chain, faults: [ofNode4, ...chain.faults] });
    assert.equal(violation, undefined, `seed ${seed}`);
    losses += lost;
  }
  assert.ok(losses > 0);
});
