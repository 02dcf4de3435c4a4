import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NEVER } from './identity.ts';
import { type Circumstances, resolve, type Witness } from './resolution.ts';

const QUIET: Circumstances = { deaths: 1, replicas: 1, hasHomeDied: true, isUnknownLost: true, has: () => false };

function witness(node: number, more: Partial<Witness>): Witness {
  return {
    node,
    object: 7,
    holds: 'none',
    exists: false,
    isLost: false,
    term: 0,
    version: 0,
    copy: 0,
    isHome: false,
    born: NEVER,
    ...more,
  };
}

function backup(term: number, version: number, isLost = false): NonNullable<Witness['backup']> {
  return { isLost, term, version, born: NEVER };
}

test('the latest backup is restored, by its term before its version', () => {
  const outcome = resolve([witness(1, { backup: backup(2, 9) }), witness(2, { backup: backup(5, 1) })], QUIET);
  assert.equal(outcome.fate === 'lives' && outcome.owner.node, 2);
});

test('a backup from before a removal that somebody remembers is not restored', () => {
  const handedOver = { to: 3, term: 4, kind: 'removed', isDelivered: true, isTargetDead: true } as const;
  assert.equal(resolve([witness(1, { backup: backup(2, 2) }), witness(2, { handedOver })], QUIET).fate, 'absent');
  assert.equal(resolve([witness(1, { backup: backup(6, 1) }), witness(2, { handedOver })], QUIET).fate, 'lives');
});

test('that an object is lost survives the death of its home', () => {
  assert.equal(resolve([witness(1, { backup: backup(6, 0, true) }), witness(2, { backup: backup(5, 3) })], QUIET).fate, 'lost');
});

test('more deaths than replicas: what nobody holds is lost, though a backup is left', () => {
  assert.equal(resolve([witness(1, { backup: backup(6, 1) })], { ...QUIET, deaths: 2 }).fate, 'lost');
});
