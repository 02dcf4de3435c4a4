/**
 * Tables: the objects of sync's KDDM set. Each holds all things whose names fall to it, so that an idle thing takes no place and nothing is ever removed from kddm, and
 * the answers that nodes have not acknowledged. A table never changes; what is done to it makes another.
 */
import { pack, unpack } from 'msgpackr/pack';
import { z } from 'zod';
import type { IoLinker, SetRecord } from '../kddm/index.ts';
import { barrierOutcome, barrierOwners, barrierSchema } from './barrier.ts';
import { conditionOutcome, conditionOwners, conditionSchema } from './condition.ts';
import { lockOutcome, lockOwners, lockSchema } from './lock.ts';
import { answerSchema, type Outcome } from './outcomes.ts';
import { type ClaimName, isNamed, type Owner } from './owners.ts';
import { semaphoreOutcome, semaphoreOwners, semaphoreSchema } from './semaphore.ts';

const natural = z.number().int().nonnegative();

/** The last number that was reserved. */
const counterSchema = z.object({ kind: z.literal('counter'), last: natural });

const objectSchema = z.discriminatedUnion('kind', [lockSchema, semaphoreSchema, conditionSchema, barrierSchema, counterSchema]);

export const KEY_MAXIMUM = 300;

const tableSchema = z.object({
  /** The last token that was given out. */
  tokens: natural,
  objects: z.map(z.string().max(KEY_MAXIMUM), objectSchema),
  answers: z.array(answerSchema),
});

export type SyncObject = z.infer<typeof objectSchema>;
export type SyncKind = SyncObject['kind'];
export type CounterState = z.infer<typeof counterSchema>;

export interface Table {
  readonly tokens: number;
  readonly objects: ReadonlyMap<string, SyncObject>;
  readonly answers: readonly z.infer<typeof answerSchema>[];
}

export const EMPTY_TABLE: Table = { tokens: 0, objects: new Map(), answers: [] };

/** One of the ids that are reserved for the system itself. */
export const SYNC_SET = 8;
export const SYNC_NAMESPACE = 0;
const TABLES = 4096;
/** Of each table, besides its owner's copy. */
const REPLICAS = 2;

export const SYNC_SET_RECORD: SetRecord = {
  namespace: SYNC_NAMESPACE,
  set: SYNC_SET,
  name: 'sync',
  linker: 'sync',
  policy: { kind: 'round-robin' },
  isExclusive: true,
  isFirstTouchLinked: false,
  replicas: REPLICAS,
  unknownAfterCrash: 'lost',
};

export const tableLinker: IoLinker<Table> = {
  name: 'sync',
  firstTouch: () => EMPTY_TABLE,
  exportObject: ({ tokens, objects, answers }) => pack({ tokens, objects: [...objects], answers }),
  importObject: (bytes) => {
    const raw = unpack(bytes) as { readonly objects?: unknown };
    return tableSchema.parse({ ...raw, objects: new Map(Array.isArray(raw.objects) ? (raw.objects as [unknown, unknown][]) : []) });
  },
};

/** Names of different kinds, and of different spaces, never meet. */
export function keyOf(kind: SyncKind, space: string, name: string): string {
  return `${kind}/${space}/${name}`;
}

export function keyParts(key: string): { readonly kind: SyncKind; readonly space: string; readonly name: string } {
  const [kind = '', space = '', ...rest] = key.split('/');
  return { kind: kind as SyncKind, space, name: rest.join('/') };
}

/** Its table: FNV-1a of the key. */
export function tableOf(key: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(key)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0) % TABLES;
}

/** What a table may grow to, about: one that travels has to fit into a message of rpc (`bodyBytes`). */
const TABLE_BYTES = 2 ** 20;
/** Of an owner, a claim or a thing without its texts. */
const RECORD_BYTES = 150;
/** Of a character. */
const CHARACTER_BYTES = 3;

/** Nobody can add anything to it; what is there can go. */
export function isFull({ objects, answers }: Table): boolean {
  const ownerBytes = ({ session, label }: Owner): number => RECORD_BYTES + CHARACTER_BYTES * (session.length + label.length);
  let bytes = answers.reduce((sum, { owner }) => sum + ownerBytes(owner), 0);
  for (const [key, object] of objects) {
    bytes += RECORD_BYTES + CHARACTER_BYTES * key.length;
    for (const owner of ownersOfObject(object)) bytes += ownerBytes(owner);
  }
  return bytes > TABLE_BYTES;
}

/** How a claim on an object stands; `undefined`: the table knows nothing of it. */
export function outcomeOf(table: Table, key: string, name: ClaimName): Outcome | 'waits' | undefined {
  const object = table.objects.get(key);
  const outcome = object && objectOutcome(object, name);
  return outcome ?? table.answers.find((each) => isNamed(each, name))?.outcome;
}

function objectOutcome(object: SyncObject, name: ClaimName): Outcome | 'waits' | undefined {
  switch (object.kind) {
    case 'lock':
      return lockOutcome(object, name);
    case 'semaphore':
      return semaphoreOutcome(object, name);
    case 'condition':
      return conditionOutcome(object, name);
    case 'barrier':
      return barrierOutcome(object, name);
    case 'counter':
      return undefined;
  }
}

/** All who hold something, wait or have an answer to come. */
export function ownersOf({ objects, answers }: Table): readonly Owner[] {
  return [...[...objects.values()].flatMap(ownersOfObject), ...answers.map(({ owner }) => owner)];
}

function ownersOfObject(object: SyncObject): readonly Owner[] {
  switch (object.kind) {
    case 'lock':
      return lockOwners(object);
    case 'semaphore':
      return semaphoreOwners(object);
    case 'condition':
      return conditionOwners(object);
    case 'barrier':
      return barrierOwners(object);
    case 'counter':
      return [];
  }
}
