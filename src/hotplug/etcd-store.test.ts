/** The store in a real etcd of three members, of which some are killed. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { EtcdStore } from './etcd-store.ts';
import { describeStore, sampleNode, sampleView } from './store-suite.ts';
import { MEMBERS, TestEtcd } from '../../test/support/etcd.ts';
import { appear } from './view.ts';

let etcd: TestEtcd;
let clusters = 0;
before(async () => {
  etcd = await TestEtcd.start();
});
after(() => etcd[Symbol.asyncDispose]());

function openStores(): { stores: EtcdStore[]; close: () => Promise<void> } {
  const cluster = `cluster-${++clusters}`;
  const stores = [1, 2, 3].map(() => new EtcdStore({ endpoints: etcd.endpoints, cluster, first: sampleView(3), answerMs: 1000 }));
  const close = async (): Promise<void> => {
    await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
  };
  return { stores, close };
}

describeStore('etcd', () => {
  const { stores, close } = openStores();
  return Promise.resolve({
    store: (id) => stores[id - 1] ?? assert.fail(),
    takeMajorityAway: async () => {
      await etcd.killMember(0);
      await etcd.killMember(1);
    },
    giveMajorityBack: async () => {
      etcd.startMember(0);
      etcd.startMember(1);
      await etcd.isUp();
    },
    [Symbol.asyncDispose]: close,
  });
});

test('a member of etcd is lost and comes back: changes go on, and those who watch miss none', async () => {
  const { stores, close } = openStores();
  const [one = assert.fail(), two = assert.fail()] = stores;
  try {
    const heard: number[] = [];
    two.watch(({ nodes }) => heard.push(nodes.length));
    for (const [n, member] of MEMBERS.entries()) {
      await etcd.killMember(member);
      await one.change((view) => appear(view, sampleNode(10 + n)));
      etcd.startMember(member);
      await etcd.isUp();
    }
    while (heard.length < MEMBERS.length) await delay(5);
    assert.deepEqual(heard.slice(-MEMBERS.length), [4, 5, 6]);
  } finally {
    await close();
  }
});
