import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isErrno } from '../linux/index.ts';
import { Questions } from './questions.ts';
import type { ServerRequest } from './server-protocol.ts';

function begin(): { questions: Questions; sent: ServerRequest[]; pass: (milliseconds: number) => void } {
  let now = 0;
  const sent: ServerRequest[] = [];
  return {
    questions: new Questions(
      (request) => sent.push(request),
      () => now,
    ),
    sent,
    pass: (milliseconds) => (now += milliseconds),
  };
}

test('answers find their questions', async () => {
  const { questions, sent } = begin();
  const [first, second] = [questions.ask({ kind: 'nodes' }), questions.ask({ kind: 'nodes' })];
  questions.answered({ kind: 'answer', id: sent[1]?.id ?? 0, value: [2] });
  questions.answered({ kind: 'answer', id: sent[0]?.id ?? 0, value: undefined, errno: 3 });
  assert.deepEqual(await second, [2]);
  await assert.rejects(first, (error) => isErrno(error, 'ESRCH'));
});

test('while the daemon begins a question waits, and afterwards for as long as others', async () => {
  const { questions, sent, pass } = begin();
  const first = questions.ask({ kind: 'nodes' });
  pass(5000);
  questions.expire();
  questions.joined();
  pass(500);
  questions.expire();
  questions.answered({ kind: 'answer', id: sent[0]?.id ?? 0, value: [1] });
  assert.deepEqual(await first, [1]);
  const second = questions.ask({ kind: 'nodes' });
  pass(questions.patience);
  questions.expire();
  await assert.rejects(second, (error) => isErrno(error, 'EIO'));
});

test('a question without an answer ends, and a late answer does no harm', async () => {
  const { questions, sent, pass } = begin();
  questions.joined();
  assert.equal(questions.patience, -1);
  const first = questions.ask({ kind: 'nodes' });
  pass(500);
  const second = questions.ask({ kind: 'nodes' });
  const patience = questions.patience;
  assert.ok(patience > 0 && patience <= 500);
  pass(patience);
  questions.expire();
  await assert.rejects(first, (error) => isErrno(error, 'EIO'));
  questions.answered({ kind: 'answer', id: sent[0]?.id ?? 0, value: [1] });
  questions.answered({ kind: 'answer', id: sent[1]?.id ?? 0, value: [2] });
  assert.deepEqual(await second, [2]);
  assert.equal(questions.patience, -1);
});
