import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FRAME, NO_BYTES } from './frame.ts';
import { type Answer, RememberedAnswers } from './remembered-answers.ts';

const answer = (size: number): Answer => ({ type: FRAME.result, body: Buffer.alloc(size), trailer: NO_BYTES });

function remembered(): { answers: RememberedAnswers; clock: { nowMs: number } } {
  const clock = { nowMs: 0 };
  return { answers: new RememberedAnswers({ answersMs: 1000, answersKept: 3, answersBytes: 100 }, () => clock.nowMs), clock };
}

test('the first to ask runs the call; who asks later gets its answer, the last one when it is still under way', () => {
  const { answers } = remembered();
  const got: string[] = [];
  assert.equal(
    answers.ask('k', () => got.push('first')),
    'run',
  );
  assert.equal(
    answers.ask('k', () => got.push('second')),
    'known',
  );
  answers.finish('k', answer(1));
  assert.deepEqual(got, ['second']);
  assert.equal(
    answers.ask('k', () => got.push('third')),
    'known',
  );
  assert.deepEqual(got, ['second', 'third']);
});

test('answers are forgotten by age, by number and by size, oldest first', () => {
  const { answers, clock } = remembered();
  const finish = (key: string, size: number): void => {
    answers.ask(key, () => {});
    answers.finish(key, answer(size));
  };
  const isKnown = (key: string): boolean => {
    let known = false;
    // A key that is asked for and not known runs from here on; each is asked for once.
    answers.ask(key, () => {
      known = true;
    });
    return known;
  };
  for (const key of ['a', 'b', 'c', 'd']) finish(key, 1);
  assert.equal(answers.size, 3);
  assert.equal(isKnown('a'), false);
  finish('large', 99);
  assert.equal(answers.size, 2);
  assert.equal(isKnown('b'), false);
  assert.equal(isKnown('large'), true);
  clock.nowMs = 1001;
  assert.equal(isKnown('large'), false);
  assert.equal(answers.size, 0);
});

test('a call that runs for long is not forgotten', () => {
  const { answers, clock } = remembered();
  answers.ask('slow', () => {});
  clock.nowMs = 1_000_000;
  assert.equal(
    answers.ask('slow', () => {}),
    'known',
  );
});
