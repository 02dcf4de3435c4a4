/**
 * Objects shared by four nodes, each a process of this machine: the cases of Kerrighed's own benchmark, beside a round trip over TCP and a call. Part of
 * `npm run bench`; alone: `node bench/kddm.ts`.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Hold, KddmSetHandle } from '../src/kddm/index.ts';
import { CertificateAuthority, type NodeId } from '../src/rpc/index.ts';
import { BenchNode, CLUSTER, echoCall, HOST, linkers, NODES, type Ports, SIZES, useCall } from './kddm-definitions.ts';
import { summarize } from './statistics.ts';
import { align } from './table.ts';

const WARM_UP = 1000;
const SAMPLES = 2000;
/** In a round. */
const HITS = 1000;
const HIT_ROUNDS = 4000;
const LOCAL = 1;
const REMOTE = 2;

type Set = KddmSetHandle<Uint8Array>;

interface Case {
  readonly name: string;
  /** The home of the objects. */
  readonly home: NodeId;
  /** What nodes do with each object before it is measured, in this order. */
  readonly before: readonly (readonly [node: NodeId, kind: 'get' | 'grab'])[];
  readonly operation: 'get' | 'grab' | 'remove';
  /** In calls. */
  readonly bar?: number;
}

const CASES: readonly Case[] = [
  { name: 'get, first touch, home here', home: LOCAL, before: [], operation: 'get' },
  { name: 'get, first touch, home elsewhere', home: REMOTE, before: [], operation: 'get' },
  { name: 'get, one hop', home: REMOTE, before: [[2, 'grab']], operation: 'get', bar: 1.3 },
  { name: 'get, two hops', home: REMOTE, before: [[3, 'grab']], operation: 'get' },
  { name: 'grab, first touch, home here', home: LOCAL, before: [], operation: 'grab' },
  { name: 'grab, first touch, home elsewhere', home: REMOTE, before: [], operation: 'grab' },
  { name: 'grab, a copy here', home: LOCAL, before: [[1, 'get']], operation: 'grab' },
  { name: 'grab, a copy elsewhere', home: REMOTE, before: [[2, 'get']], operation: 'grab' },
  {
    name: 'grab, 2 copies elsewhere',
    home: REMOTE,
    before: [
      [2, 'get'],
      [3, 'get'],
    ],
    operation: 'grab',
  },
  {
    name: 'grab, 3 copies elsewhere',
    home: REMOTE,
    before: [
      [2, 'get'],
      [3, 'get'],
      [4, 'get'],
    ],
    operation: 'grab',
  },
  {
    name: 'grab, a copy here, 3 elsewhere',
    home: REMOTE,
    before: [
      [2, 'get'],
      [3, 'get'],
      [4, 'get'],
      [1, 'get'],
    ],
    operation: 'grab',
  },
  { name: 'remove, a copy here', home: LOCAL, before: [[1, 'get']], operation: 'remove' },
  { name: 'remove, a copy elsewhere', home: REMOTE, before: [[2, 'get']], operation: 'remove' },
  {
    name: 'remove, 2 copies elsewhere',
    home: REMOTE,
    before: [
      [2, 'get'],
      [3, 'get'],
    ],
    operation: 'remove',
  },
  {
    name: 'remove, 3 copies elsewhere',
    home: REMOTE,
    before: [
      [2, 'get'],
      [3, 'get'],
      [4, 'get'],
    ],
    operation: 'remove',
  },
];

/** Microseconds, by the size of an object; beside each what a call took that was made before every sample. */
export interface KddmMeasurement {
  readonly name: string;
  readonly values: readonly { readonly median: number; readonly call: number }[];
  readonly bar?: number;
}

export interface KddmResults {
  readonly cases: readonly KddmMeasurement[];
  readonly hits: { readonly now: number; readonly awaited: number };
}

class Cluster implements AsyncDisposable {
  readonly node: BenchNode;
  readonly echoPort: number;
  readonly #peers: readonly ChildProcess[];
  readonly #sets = new Map<string, Set>();
  #lastObject = 0;

  private constructor(node: BenchNode, peers: readonly ChildProcess[], echoPort: number) {
    this.node = node;
    this.#peers = peers;
    this.echoPort = echoPort;
  }

  static async start(directory: string): Promise<Cluster> {
    const authority = await CertificateAuthority.create(join(directory, 'authority'), CLUSTER);
    const node = new BenchNode({ id: LOCAL, credentials: await authority.credentialsFor(LOCAL) });
    const { port } = await node.rpc.listen({ host: HOST, port: 0 });
    const peers = Array.from({ length: NODES - 1 }, () =>
      fork(fileURLToPath(new URL('kddm-peer.ts', import.meta.url)), { serialization: 'advanced' }),
    );
    const ports = await Promise.all(
      peers.map(async (peer, n) => {
        peer.send({ id: n + 2, credentials: await authority.credentialsFor(n + 2) });
        return ((await once(peer, 'message')) as [Ports])[0];
      }),
    );
    const all = [port, ...ports.map(({ rpc }) => rpc)];
    const joined = peers.map((peer) => once(peer, 'message'));
    for (const peer of peers) peer.send(all);
    await Promise.all([node.join(all), ...joined]);
    return new Cluster(node, peers, ports[0]?.echo ?? 0);
  }

  async set(size: number, home: NodeId): Promise<Set> {
    const name = `${size} at ${home}`;
    const linker = linkers.find((candidate) => candidate.name === `memory-${size}`);
    if (linker === undefined) throw new Error(`no objects of ${size} bytes`);
    const set = this.#sets.get(name) ?? (await this.node.kddm.createSet(linker, { name, policy: { kind: 'fixed', node: home } }));
    this.#sets.set(name, set);
    return set;
  }

  /** @returns ids that were not used yet */
  objects(count: number): number {
    this.#lastObject += count;
    return this.#lastObject - count;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) peer.disconnect();
    await this.node[Symbol.asyncDispose]();
  }
}

/** @param ask what is measured @param end what is done after each, and is not */
async function interleaved<T>(
  cluster: Cluster,
  size: number,
  ask: (n: number) => Promise<T>,
  end: (outcome: T) => Promise<void> | undefined = () => undefined,
): Promise<{ median: number; call: number }> {
  const message = new Uint8Array(size).fill(1);
  const [samples, calls]: [number[], number[]] = [[], []];
  for (let n = 0; n < WARM_UP + SAMPLES; n++) {
    const started = performance.now();
    await cluster.node.rpc.call(REMOTE, echoCall, message);
    const between = performance.now();
    const outcome = await ask(n);
    samples.push((performance.now() - between) * 1000);
    calls.push((between - started) * 1000);
    await end(outcome);
  }
  return { median: summarize(samples.slice(WARM_UP)).median, call: summarize(calls.slice(WARM_UP)).median };
}

/** The operation is measured, what ends it is not. */
async function measureCase(cluster: Cluster, { home, before, operation }: Case, size: number): Promise<{ median: number; call: number }> {
  const set = await cluster.set(size, home);
  const count = WARM_UP + SAMPLES;
  const first = cluster.objects(count);
  for (const [node, kind] of before) await cluster.node.rpc.call(node, useCall, { set: set.id, kind, first, count });
  const use = (n: number): Promise<Hold<Uint8Array> | void> => (operation === 'remove' ? set.remove(first + n) : set[operation](first + n));
  return interleaved(cluster, size, use, (hold) => hold?.put());
}

/** As many bytes go as an object has, and come back. */
async function measureTcp(cluster: Cluster, size: number): Promise<{ median: number; call: number }> {
  const socket = connect({ host: HOST, port: cluster.echoPort });
  await once(socket, 'connect');
  socket.setNoDelay(true);
  const message = Buffer.alloc(size, 1);
  let missing = 0;
  let answered: () => void = () => undefined;
  socket.on('data', (bytes) => {
    missing -= bytes.length;
    if (missing === 0) answered();
  });
  const ask = (): Promise<void> =>
    new Promise((resolve) => {
      missing = size;
      answered = resolve;
      socket.write(message);
    });
  const measured = await interleaved(cluster, size, ask);
  socket.destroy();
  return measured;
}

/** Gets of an object that is here, each put again, per second. */
async function measureHits(cluster: Cluster): Promise<KddmResults['hits']> {
  const set = await cluster.set(SIZES[0], LOCAL);
  const objects = 1024;
  const first = cluster.objects(objects);
  for (let object = first; object < first + objects; object++) await (await set.get(object)).put();
  const now = (count: number): void => {
    for (let n = 0; n < count; n++) {
      using hold = set.getNow(first + (n % objects));
      if (hold === undefined) throw new Error('the object is not here');
    }
  };
  const awaited = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n++) {
      using _ = await set.get(first + (n % objects));
    }
  };
  // In between the node has to hear of the others, to keep its lease. The median, for a machine that does other things as well.
  const perSecond = async (run: (count: number) => void | Promise<void>): Promise<number> => {
    const rates: number[] = [];
    for (let round = 0; round < HIT_ROUNDS; round++) {
      const started = performance.now();
      await run(HITS);
      rates.push(HITS / ((performance.now() - started) / 1000));
      await new Promise((resolve) => setImmediate(resolve));
    }
    return summarize(rates.slice(HIT_ROUNDS / 2)).median;
  };
  return { now: await perSecond(now), awaited: await perSecond(awaited) };
}

export async function measureKddm(): Promise<KddmResults> {
  const directory = mkdtempSync(join(tmpdir(), 'korrigan-bench-kddm-'));
  try {
    await using cluster = await Cluster.start(directory);
    const measure = async (
      { name, bar }: Pick<Case, 'name' | 'bar'>,
      of: (size: number) => Promise<{ median: number; call: number }>,
    ): Promise<KddmMeasurement> => {
      const values: { median: number; call: number }[] = [];
      for (const size of SIZES) values.push(await of(size));
      return { name, values, ...(bar !== undefined && { bar }) };
    };
    const cases = [await measure({ name: 'round trip over TCP' }, (size) => measureTcp(cluster, size))];
    for (const one of CASES) cases.push(await measure(one, (size) => measureCase(cluster, one, size)));
    return { cases, hits: await measureHits(cluster) };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export function formatKddm({ cases, hits }: KddmResults): string {
  const rows = cases.map(({ name, values, bar }) => {
    const isHeld = values.every(({ median, call }) => bar === undefined || median <= bar * call);
    const cells = values.flatMap(({ median, call }) => [median.toFixed(1), call.toFixed(1), `${(median / call).toFixed(2)}x`]);
    return [name, ...cells, bar === undefined ? '' : `<= ${bar}x ${isHeld ? 'held' : 'missed'}`];
  });
  const header = ['us', ...SIZES.flatMap((size) => [`${size} B`, 'call', '']), 'bar'];
  const millions = (value: number): string => `${(value / 1e6).toFixed(2)} M/s`;
  const verdict = hits.now >= 1e6 ? 'held' : 'missed';
  return `${align([header, ...rows])}\nhits, with their puts: getNow ${millions(hits.now)} (>= 1 M/s ${verdict}), get awaited ${millions(hits.awaited)}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(formatKddm(await measureKddm()));
