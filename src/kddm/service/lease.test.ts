import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lease, LEASE_MILLISECONDS } from './lease.ts';

function leaseOf(self: number, members: readonly number[]): Lease {
  const lease = new Lease(self);
  lease.setMembers(members);
  return lease;
}

test('a lease is as long as a majority has granted it, from the moment at which it was asked for', () => {
  const lease = leaseOf(1, [1, 2, 3, 4, 5]);
  assert.equal(lease.until(1000), 0);
  lease.granted(2, 1000);
  assert.equal(lease.until(1100), 0, 'two of five');
  lease.granted(3, 1050);
  assert.equal(lease.until(1100), 1000 + LEASE_MILLISECONDS);
  lease.granted(4, 1080);
  assert.equal(lease.until(1100), 1050 + LEASE_MILLISECONDS);
  lease.granted(4, 1010);
  assert.equal(lease.until(1100), 1050 + LEASE_MILLISECONDS, 'a late answer takes nothing away');
  lease.setMembers([1, 2, 3]);
  lease.setMembers([1, 2, 3, 4, 5]);
  assert.equal(lease.until(1100), 1000 + LEASE_MILLISECONDS, 'what a node granted that was out since does not count');
  lease.setMembers([2, 3, 4]);
  assert.equal(lease.until(1100), 0, 'it takes no part any more');
  assert.equal(leaseOf(1, [1]).until(1100), 1100 + LEASE_MILLISECONDS);
});

test('who is no member gets none, and what was granted is waited for', () => {
  const lease = leaseOf(2, [1, 2, 3]);
  assert.equal(lease.grant(1, 500), true);
  assert.equal(lease.grant(9, 500), false);
  lease.setMembers([2, 3]);
  assert.equal(lease.grant(1, 600), false);
  assert.equal(lease.endOfGrants([1]), 500 + LEASE_MILLISECONDS);
  assert.equal(lease.endOfGrants([3]), 0);
});
