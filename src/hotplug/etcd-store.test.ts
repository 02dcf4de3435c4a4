/** The store in a real etcd of three members, of which some are killed. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { EtcdStore } from './etcd-store.ts';
import { describeStore, sampleNode, sampleView } from './store-suite.ts';
import { appear } from './view.ts';

const MEMBERS = [0, 1, 2];
const HOST = '127.0.0.1';

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return address === null || typeof address === 'string' ? assert.fail() : address.port;
}

class Etcd implements AsyncDisposable {
  readonly endpoints: string[] = [];
  private readonly peers: string[] = [];
  private readonly directory = mkdtempSync(join(tmpdir(), 'korrigan-etcd-'));
  private readonly members = new Map<number, ChildProcess>();

  static async start(): Promise<Etcd> {
    const etcd = new Etcd();
    for (const list of [etcd.endpoints, etcd.peers]) for (const _ of MEMBERS) list.push(`http://${HOST}:${await freePort()}`);
    for (const member of MEMBERS) etcd.startMember(member);
    await etcd.isUp();
    return etcd;
  }

  startMember(member: number): void {
    const [client = '', peer = ''] = [this.endpoints[member], this.peers[member]];
    const options = {
      name: `member${member}`,
      'data-dir': join(this.directory, `member${member}`),
      'listen-client-urls': client,
      'advertise-client-urls': client,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': this.peers.map((url, n) => `member${n}=${url}`).join(),
      'heartbeat-interval': '50',
      'election-timeout': '500',
    };
    const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    this.members.set(member, spawn('etcd', words, { stdio: 'ignore' }));
  }

  async killMember(member: number): Promise<void> {
    const process = this.members.get(member);
    this.members.delete(member);
    if (process?.kill('SIGKILL') === true) await once(process, 'exit');
  }

  async isUp(): Promise<void> {
    await using store = new EtcdStore({ endpoints: this.endpoints, cluster: 'probe', first: undefined });
    for (;;) {
      const answered = await store.read().catch(() => undefined);
      if (answered !== undefined) return;
      await delay(50);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(MEMBERS.map((member) => this.killMember(member)));
    rmSync(this.directory, { recursive: true });
  }
}

let etcd: Etcd;
let clusters = 0;
before(async () => {
  etcd = await Etcd.start();
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
