/** For tests: a real etcd of three members. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EtcdStore } from '../../src/hotplug/index.ts';

export const MEMBERS = [0, 1, 2];
const HOST = '127.0.0.1';

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return address === null || typeof address === 'string' ? assert.fail() : address.port;
}

/** Members can be killed and started again; clients find them at loopback addresses, and at all others of this machine. */
export class TestEtcd implements AsyncDisposable {
  readonly endpoints: string[] = [];
  private readonly peers: string[] = [];
  private readonly directory = mkdtempSync(join(tmpdir(), 'korrigan-etcd-'));
  private readonly members = new Map<number, ChildProcess>();

  static async start(): Promise<TestEtcd> {
    const etcd = new TestEtcd();
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
      'listen-client-urls': client.replace(HOST, '0.0.0.0'),
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
