import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, isKorriganError } from '../linux/errors.ts';
import { transitionOf } from './stages.ts';
import {
  add,
  appear,
  comeUp,
  coordinatorOf,
  declareDead,
  depart,
  drain,
  forget,
  introduce,
  keep,
  membersOf,
  removed,
  renew,
  vanish,
  type View,
} from './view.ts';

const node = (id: number, life = `life ${id}`): Parameters<typeof appear>[1] => ({
  id,
  name: `node${id}`,
  address: `10.0.0.${id}`,
  port: 7420,
  life,
});
const NOBODY: View = { epoch: 0, nodes: [] };
const PRESENT = [1, 2, 3].reduce((view, id) => appear(view, node(id)), NOBODY);
const ONLINE = add(PRESENT, [1, 2, 3]);
const stateOf = (view: View, id: number): string | undefined => view.nodes.find((candidate) => candidate.id === id)?.state;
const refuses = (code: ErrorCode, action: () => unknown): void => assert.throws(action, (error) => isKorriganError(error, code));

test('nodes come, take part, and leave; each change of who takes part begins an epoch', () => {
  assert.deepEqual([membersOf(PRESENT), PRESENT.epoch, coordinatorOf(PRESENT)], [[], 0, undefined]);
  assert.deepEqual([membersOf(ONLINE), ONLINE.epoch, coordinatorOf(ONLINE)], [[1, 2, 3], 3, 1]);
  const leaving = drain(ONLINE, 1, 2);
  assert.deepEqual([stateOf(leaving, 1), membersOf(leaving), leaving.epoch], ['leaving', [1, 2, 3], 3]);
  assert.equal(stateOf(keep(leaving, 1), 1), 'online');
  const without = removed(leaving, 1);
  assert.deepEqual([stateOf(without, 1), membersOf(without), without.epoch, coordinatorOf(without)], ['present', [2, 3], 4, 2]);
  assert.equal(stateOf(vanish(without, 1), 1), 'possible');
});

test('what a user asks for is refused by name, and nothing is changed then', () => {
  refuses('KRG_NO_SUCH_NODE', () => add(PRESENT, [1, 9]));
  refuses('KRG_NODE_ONLINE', () => add(ONLINE, [1]));
  refuses('KRG_NODE_NOT_PRESENT', () => add(vanish(PRESENT, 2), [2]));
  refuses('KRG_NODE_NOT_ONLINE', () => drain(PRESENT, 1, 2));
  refuses('KRG_BAD_REQUEST', () => drain(ONLINE, 1, 1));
  refuses('KRG_LAST_NODE', () => drain(add(PRESENT, [1]), 1, 2));
});

test('a life that was declared dead does not come back; another one does', () => {
  const dead = declareDead(ONLINE, 2, 'life 2');
  assert.deepEqual([stateOf(dead, 2), membersOf(dead), dead.epoch], ['possible', [1, 3], 4]);
  refuses('KRG_NODE_FENCED', () => appear(dead, node(2)));
  const back = appear(dead, node(2, 'another life'));
  assert.equal(stateOf(back, 2), 'present');
  assert.deepEqual(declareDead(add(back, [2]), 2, 'life 2'), add(back, [2]), 'who means the old life does not harm the new one');
});

test('a daemon that is started again is what it was; what was in its memory is not', () => {
  assert.deepEqual(appear(ONLINE, node(2)), ONLINE);
  const [first, second] = ['first', 'second'].map((daemon) => appear(ONLINE, { ...node(2), daemon }));
  assert.deepEqual([first?.epoch, second?.epoch], [4, 4], 'what its daemon had in its memory is lost: an epoch begins');
  assert.equal(renew(ONLINE).epoch, 4);
  const transition = transitionOf(first ?? assert.fail(), appear(first ?? assert.fail(), { ...node(2), daemon: 'second' }));
  assert.deepEqual([transition?.restarted, transition?.joined, transition?.died], [[2], [], []]);
});

test('a daemon that is started again is what it was; one with another container says itself that the life before is over', () => {
  assert.deepEqual(comeUp(ONLINE, node(2)), ONLINE);
  const reborn = comeUp(ONLINE, node(2, 'another life'));
  assert.deepEqual([membersOf(reborn), reborn.nodes[1]?.lost], [[1, 2, 3], 'life 2']);
  assert.ok(reborn.epoch > ONLINE.epoch);
  refuses('KRG_NODE_FENCED', () => comeUp(reborn, node(2)));
});

test('who was taken out stays out when its daemon is started again, until it is added', () => {
  const out = removed(drain(ONLINE, 1, 2), 1);
  assert.equal(stateOf(comeUp(out, node(1)), 1), 'present');
  assert.equal(stateOf(comeUp(vanish(out, 1), node(1, 'another life')), 1), 'present');
  assert.equal(stateOf(comeUp(vanish(add(out, [1]), 1), node(1, 'another life')), 1), 'online');
  assert.equal(stateOf(comeUp(NOBODY, node(4)), 4), 'online', 'a new one takes part at once');
});

test('a node that is known and not up takes part when it comes, unless it is to wait', () => {
  const { life: _, ...names } = node(4);
  const known = introduce(ONLINE, names, false);
  assert.deepEqual([stateOf(known, 4), known.epoch, membersOf(known)], ['possible', 3, [1, 2, 3]]);
  assert.equal(stateOf(comeUp(known, node(4)), 4), 'online');
  const waiting = comeUp(introduce(ONLINE, names, true), node(4));
  assert.equal(stateOf(waiting, 4), 'present');
  assert.equal(stateOf(comeUp(add(waiting, [4]), node(4, 'another life')), 4), 'online', 'who was added once comes back by itself');
  assert.deepEqual(introduce(ONLINE, { ...names, id: 3 }, true), ONLINE, 'one that is up is what it is');
  const [, , , moved] = introduce(known, { ...names, address: '10.0.1.4' }, true).nodes;
  assert.deepEqual([moved?.address, moved?.isOut], ['10.0.1.4', false]);
});

test('a node that ends says so: its life is over; the last one stays a member', () => {
  const without = depart(ONLINE, 2, 'life 2');
  assert.deepEqual([stateOf(without, 2), membersOf(without), without.epoch], ['possible', [1, 3], 4]);
  refuses('KRG_NODE_FENCED', () => appear(without, node(2)));
  assert.equal(stateOf(comeUp(without, node(2, 'another life')), 2), 'online');
  const alone = add(PRESENT, [1]);
  assert.equal(depart(alone, 1, 'life 1'), alone);
  assert.deepEqual([stateOf(depart(alone, 2, 'life 2'), 2), depart(alone, 2, 'life 2').epoch], ['possible', 2], 'modules look again');
  assert.deepEqual(depart(without, 2, 'life 2').nodes, without.nodes);
});

test('a node that does not take part can be forgotten', () => {
  refuses('KRG_NODE_ONLINE', () => forget(ONLINE, 2));
  assert.equal(stateOf(forget(depart(ONLINE, 2, 'life 2'), 2), 2), undefined);
  assert.deepEqual(forget(ONLINE, 9), ONLINE);
});
