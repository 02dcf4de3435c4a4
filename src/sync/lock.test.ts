/** Locks by themselves: what is true after whatever is done to them, in whatever order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { abandon, acquire, type LockState, release, repair, type Tools, withdraw } from './lock.ts';
import type { Change, Outcome } from './outcomes.ts';
import { isNamed, type Owner } from './owners.ts';

function owner(client: number): Owner {
  return { node: 1 + (client % 3), life: 'one', epoch: 1, client, session: String(client), label: `program ${client}` };
}

function tools(): Tools {
  let token = 0;
  return { has: () => false, nextToken: () => ++token };
}

function nameOf(claim: number): { node: number; life: string; claim: number } {
  return { node: owner(claim).node, life: 'one', claim };
}

/** A lock with what its claims were told. */
class Lock {
  state: LockState | undefined;
  readonly told = new Map<number, Outcome>();
  readonly #tools = tools();
  #claims = 0;

  #take(change: Change<LockState>): void {
    this.state = change.state;
    for (const { claim, outcome } of change.answers) this.told.set(claim, outcome);
  }

  acquire(mode: 'shared' | 'exclusive', isTry = false): number {
    const claim = ++this.#claims;
    this.#take(acquire(this.state, { owner: owner(claim), claim, mode, since: 0 }, isTry, this.#tools));
    return claim;
  }

  release(claim: number): void {
    if (this.state !== undefined) this.#take(release(this.state, nameOf(claim), this.#tools));
  }

  repair(claim: number): void {
    if (this.state !== undefined) this.state = repair(this.state, nameOf(claim));
  }

  withdraw(claim: number): void {
    if (this.state !== undefined) this.#take(withdraw(this.state, nameOf(claim), this.#tools));
  }

  die(claim: number): void {
    if (this.state !== undefined) this.#take(abandon(this.state, (each) => isNamed(each, nameOf(claim)), false, this.#tools));
  }
}

test('a lock that nobody has or waits for takes no place', () => {
  const lock = new Lock();
  const claim = lock.acquire('exclusive');
  assert.deepEqual(lock.told.get(claim), { kind: 'granted', token: 1, ownerDied: false });
  lock.release(claim);
  assert.equal(lock.state, undefined);
});

test('readers share; a writer that waits is not passed by later readers; tokens grow', () => {
  const lock = new Lock();
  const [first, second, writer, late] = [lock.acquire('shared'), lock.acquire('shared'), lock.acquire('exclusive'), lock.acquire('shared')];
  assert.equal(lock.told.get(second)?.kind, 'granted');
  assert.equal(lock.told.has(writer) || lock.told.has(late), false);
  assert.equal(lock.told.get(lock.acquire('shared', true))?.kind, 'busy');
  lock.release(first);
  lock.release(second);
  assert.deepEqual(lock.told.get(writer), { kind: 'granted', token: 3, ownerDied: false });
  lock.release(writer);
  assert.deepEqual(lock.told.get(late), { kind: 'granted', token: 4, ownerDied: false });
});

test('who comes after a dead writer is told, until one has repaired what the lock guards', () => {
  const lock = new Lock();
  const [dead, second, third, fourth] = [1, 2, 3, 4].map(() => lock.acquire('exclusive'));
  lock.die(dead ?? 0);
  assert.deepEqual(lock.told.get(second ?? 0), { kind: 'granted', token: 2, ownerDied: true });
  lock.die(second ?? 0);
  assert.deepEqual(lock.told.get(third ?? 0), { kind: 'granted', token: 3, ownerDied: true });
  lock.repair(third ?? 0);
  lock.release(third ?? 0);
  assert.deepEqual(lock.told.get(fourth ?? 0), { kind: 'granted', token: 4, ownerDied: false });
});

test('a lock that was given up unrepaired is not recoverable, for those who wait and those who come', () => {
  const lock = new Lock();
  const [dead, next, waits] = [1, 2, 3].map(() => lock.acquire('exclusive'));
  lock.die(dead ?? 0);
  lock.release(next ?? 0);
  assert.equal(lock.told.get(waits ?? 0)?.kind, 'not-recoverable');
  assert.equal(lock.told.get(lock.acquire('shared'))?.kind, 'not-recoverable');
});

test('a dead reader changes nothing', () => {
  const lock = new Lock();
  const reader = lock.acquire('shared');
  const writer = lock.acquire('exclusive');
  lock.die(reader);
  assert.deepEqual(lock.told.get(writer), { kind: 'granted', token: 2, ownerDied: false });
});

test('who withdraws after it was granted the lock is told that it has it', () => {
  const lock = new Lock();
  const claim = lock.acquire('exclusive');
  lock.told.delete(claim);
  lock.withdraw(claim);
  assert.equal(lock.told.get(claim)?.kind, 'granted');
});

test('whatever happens: writers are alone, the front of the queue could not be admitted, and grants are in the order of the queue', () => {
  const action = fc.record({
    kind: fc.constantFrom('acquire', 'acquire', 'acquire', 'release', 'repair', 'withdraw', 'die'),
    mode: fc.constantFrom('shared', 'exclusive'),
    which: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const lock = new Lock();
      for (const { kind, mode, which } of actions) {
        const before = lock.state?.queue ?? [];
        const held = lock.state?.holders ?? [];
        const claims = [...held, ...before].map(({ claim }) => claim);
        const claim = claims[which % Math.max(1, claims.length)] ?? 0;
        if (kind === 'acquire') lock.acquire(mode);
        else if (kind === 'release') lock.release(claim);
        else if (kind === 'repair') lock.repair(claim);
        else if (kind === 'withdraw') lock.withdraw(claim);
        else lock.die(claim);
        const { holders = [], queue = [], condition } = lock.state ?? {};
        assert.ok(holders.length <= 1 || holders.every((each) => each.mode === 'shared'));
        const [next] = queue;
        if (next !== undefined) {
          assert.notEqual(condition, 'not-recoverable');
          assert.ok(holders.length > 0);
          assert.ok(next.mode === 'exclusive' || holders.some((each) => each.mode === 'exclusive'));
        }
        // Of those who waited, the first have been granted the lock, in their order.
        const left = new Set(queue.map((each) => each.claim));
        const granted = before.filter((each) => holders.some((one) => one.claim === each.claim)).map((each) => each.claim);
        const stayed = before.findIndex((each) => left.has(each.claim));
        const ahead = stayed < 0 ? before : before.slice(0, stayed);
        assert.deepEqual(
          granted,
          ahead.map((each) => each.claim).filter((each) => granted.includes(each)),
        );
        const tokens = holders.map(({ token }) => token);
        assert.deepEqual(
          tokens,
          tokens.toSorted((a, b) => a - b),
        );
      }
    }),
  );
});
