import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admit, type OpenLink, type PeerView } from './admission.ts';
import type { Hello } from './handshake.ts';

const hello = (change: Partial<Hello> = {}): Hello => ({
  version: 1,
  oldest: 1,
  cluster: 'c',
  from: 5,
  to: 3,
  life: 'a',
  lastLink: '',
  nonce: '',
  ...change,
});
const link = (change: Partial<OpenLink> = {}): OpenLink => ({ id: 'L', peerLife: 'a', openedByPeer: false, ...change });
const view = (change: Partial<PeerView> = {}): PeerView => ({ ownId: 3, openLink: undefined, connecting: false, ...change });

test('without a link a peer is let in', () => assert.equal(admit(view(), hello()), 'accept'));

test('of two who connect at once, the connection of the lower id is kept by both', () => {
  assert.equal(admit(view({ ownId: 3, connecting: true }), hello({ from: 5 })), 'duplicate');
  assert.equal(admit(view({ ownId: 5, connecting: true }), hello({ from: 3 })), 'accept');
});

test('a peer that greeted before it knew of the open link is turned away', () => {
  assert.equal(admit(view({ openLink: link() }), hello()), 'duplicate');
});

test('a peer that has lost the open link is let in', () => {
  assert.equal(admit(view({ openLink: link() }), hello({ lastLink: 'L' })), 'accept');
  assert.equal(admit(view({ openLink: link({ openedByPeer: true }) }), hello()), 'accept');
  assert.equal(admit(view({ openLink: link() }), hello({ life: 'b' })), 'accept');
});
