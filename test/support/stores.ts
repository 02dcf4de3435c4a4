/** For tests: where the clusters of a test file keep their record. */
import { after } from 'node:test';
import type { StartClusterOptions } from '../../src/node/index.ts';
import { TestEtcd } from './etcd.ts';

type Store = StartClusterOptions['store'];

let current: Store;

/** Of the clusters that are started now. */
export function storeOfTests(): { store?: NonNullable<Store> } {
  return current === undefined ? {} : { store: current };
}

/** Registers tests whose clusters keep their record in an etcd of their own. @param register imports a test file */
export async function withEtcd(register: () => Promise<unknown>): Promise<void> {
  const etcd = await TestEtcd.start();
  current = { kind: 'etcd', endpoints: etcd.endpoints };
  await register();
  // After the clusters have been stopped: hooks run in the order in which they were registered.
  after(() => etcd[Symbol.asyncDispose]());
}
