/** The cluster's record in etcd: one key, changed by transactions that compare its revision, and watched. */
import { setTimeout as delay } from 'node:timers/promises';
import { KorriganError } from '../linux/errors.ts';
import { EtcdClient, type EtcdOptions, type Versioned } from './etcd-client.ts';
import type { ClusterStore } from './store.ts';
import { type View, viewSchema } from './view.ts';

/** How long is tried to change the record. */
const PATIENCE_MILLISECONDS = 5000;
const RETRY_MILLISECONDS = 20;
/** A watch is begun anew so often. */
const WATCH_MILLISECONDS = 10_000;
const WATCH_RETRY_MILLISECONDS = 200;

const NOBODY: View = { epoch: 0, nodes: [] };

export interface EtcdStoreOptions extends EtcdOptions {
  readonly cluster: string;
  /** The record with which the cluster begins, the same on all nodes that are in it; undefined on one that joins later. */
  readonly first: View | undefined;
}

const keyOf = (cluster: string): string => `/korrigan/${cluster}/view`;

/** Removes the record of a cluster that is not up. @throws KorriganError KRG_NO_MAJORITY */
export async function removeRecord({ cluster, ...etcd }: Omit<EtcdStoreOptions, 'first'>): Promise<void> {
  await new EtcdClient(etcd).remove(keyOf(cluster));
}

export class EtcdStore implements ClusterStore {
  private readonly client: EtcdClient;
  private readonly key: string;
  private readonly first: View;
  private latest: { view: View; revision: bigint };
  private readonly listeners = new Set<(view: View) => void>();
  private readonly closing = new AbortController();
  private readonly watching: Promise<void>;

  constructor(options: EtcdStoreOptions) {
    this.client = new EtcdClient(options);
    this.key = keyOf(options.cluster);
    this.first = options.first ?? NOBODY;
    this.latest = { view: this.first, revision: 0n };
    this.watching = this.followChanges();
  }

  get known(): View {
    return this.latest.view;
  }

  read(): Promise<View> {
    return this.change((view) => view);
  }

  async change(change: (view: View) => View): Promise<View> {
    for (const until = performance.now() + PATIENCE_MILLISECONDS; ; await delay(RETRY_MILLISECONDS * Math.random())) {
      try {
        const view = await this.attempt(change);
        if (view !== undefined) return view;
      } catch (error) {
        const isTransient = error instanceof KorriganError && error.code === 'KRG_NO_MAJORITY';
        if (!isTransient || performance.now() > until || this.closing.signal.aborted) throw error;
      }
    }
  }

  watch(listener: (view: View) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closing.abort();
    await this.watching;
  }

  /** @returns undefined when somebody else came first */
  private async attempt(change: (view: View) => View): Promise<View | undefined> {
    const present = await this.client.get(this.key);
    const before = this.parse(present);
    this.learn(present);
    const view = change(before);
    if (view === before && present.value !== undefined) return view;
    if (!(await this.client.replace(this.key, JSON.stringify(view), present.revision))) return undefined;
    this.learn(await this.client.get(this.key));
    return view;
  }

  private parse({ value }: Versioned): View {
    return value === undefined ? this.first : viewSchema.parse(JSON.parse(value));
  }

  private learn(versioned: Versioned): void {
    if (versioned.revision <= this.latest.revision) return;
    this.latest = { view: this.parse(versioned), revision: versioned.revision };
    for (const listener of this.listeners) listener(this.latest.view);
  }

  private async followChanges(): Promise<void> {
    const { signal } = this.closing;
    while (!signal.aborted) {
      try {
        const until = AbortSignal.any([signal, AbortSignal.timeout(WATCH_MILLISECONDS)]);
        for await (const put of this.client.watch(this.key, this.latest.revision, until)) this.learn(put);
      } catch {
        // It was time to begin anew, or etcd is down: what is missed is seen by the next watch, which begins with the revision after the last known.
      }
      await delay(WATCH_RETRY_MILLISECONDS, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}
