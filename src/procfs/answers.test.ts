import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KorriganError } from '../linux/index.ts';
import type { NodeId } from '../rpc/index.ts';
import { Answers } from './answers.ts';
import type { Look } from './messages.ts';
import type { Nodes } from './nodes.ts';
import type { Caller } from './server-protocol.ts';

const caller: Caller = { pid: 70_000, uid: 0, gid: 0, groups: [], capabilities: 0n };
const CURIOUS = 70_000;

/** Three nodes, of which 1 is this one; where processes are, by pid. */
function begin(
  places: Map<number, NodeId>,
  { silent = [] as NodeId[], dead = [] as NodeId[], local = false } = {},
): { answers: Answers; asked: string[] } {
  const asked: string[] = [];
  const texts = new Map([1, 2, 3].map((node) => [node, `MemTotal:       ${node}00 kB\n`]));
  const living = [1, 2, 3].filter((node) => !dead.includes(node));
  const ask = (node: NodeId, { name }: { name: string }, request: { look?: Look }): Promise<unknown> => {
    asked.push(`${name} ${node}`);
    if (silent.includes(node) || dead.includes(node)) return Promise.reject(new KorriganError('KRG_NODE_DEAD', 'it does not answer'));
    if (name === 'procfs.list') return Promise.resolve({ pids: [...places].flatMap(([pid, place]) => (place === node ? [pid] : [])) });
    if (name === 'procfs.node') return Promise.resolve({ texts: [texts.get(node)] });
    return Promise.resolve({ isHere: places.get(request.look?.operation.pid ?? 0) === node });
  };
  const nodes = {
    own: 1,
    living,
    isLiving: (node: NodeId) => living.includes(node),
    ask,
    askForBytes: async (node: NodeId, call: { name: string }, request: object) => ({
      response: await ask(node, call, request),
      bytes: Buffer.from(`on ${node}`),
    }),
    askAll: async (
      wanted: NodeId[],
      call: { name: string },
      request: object,
      use: (answer: unknown, node: NodeId) => unknown,
      otherwise: (node: NodeId) => unknown = () => undefined,
    ) =>
      (
        await Promise.all(
          wanted.map((node) =>
            ask(node, call, request).then(
              (answer) => ({ node, value: use(answer, node) }),
              () => ({ node, value: otherwise(node) }),
            ),
          ),
        )
      ).filter(({ value }) => value !== undefined),
  } as unknown as Nodes;
  const locate = (pid: number): Promise<NodeId> => {
    const place = places.get(pid);
    return place === undefined ? Promise.reject(new KorriganError('KRG_NO_SUCH_PROCESS', 'nobody has it')) : Promise.resolve(place);
  };
  const answers = new Answers({
    nodes,
    session: 'test',
    locate,
    homeOf: (pid) => Math.floor(pid / 65_536),
    seesOnlyItsNode: (pid) => local && pid === CURIOUS,
  });
  return { answers, asked };
}

const look = (pid: number, hint?: NodeId): Parameters<Answers['answer']>[0] => ({
  kind: 'look',
  caller,
  hint,
  look: { operation: { kind: 'link', pid, thread: 0, entry: 'exe' }, pids: [], wanted: [] },
});
const memory = { kind: 'node-file', caller, node: 0, file: 'meminfo' } as const;

test('a process is looked at where it was seen, else at its home, else where it is found', async () => {
  const { answers, asked } = begin(
    new Map([
      [131_072, 3],
      [131_073, 2],
    ]),
  );
  assert.deepEqual(await answers.answer(look(131_072, 3)), { results: Buffer.from('on 3'), node: 3 });
  assert.deepEqual(await answers.answer(look(131_073)), { results: Buffer.from('on 2'), node: 2 });
  assert.deepEqual(await answers.answer(look(131_072)), { results: Buffer.from('on 3'), node: 3 });
  assert.deepEqual(asked, ['procfs.look 3', 'procfs.look 2', 'procfs.look 2', 'procfs.look 3']);
});

test('one that nobody has is nowhere; so is one of a node that takes no part', async () => {
  assert.deepEqual(await begin(new Map()).answers.answer(look(131_072)), { results: undefined, node: 2 });
  const { answers, asked } = begin(new Map(), { dead: [2] });
  assert.deepEqual(await answers.answer(look(131_072, 2)), { results: undefined, node: 2 });
  assert.deepEqual(asked, []);
});

test('a node that does not answer is left out of lists; its last figures count', async () => {
  const processes = new Map([
    [131_072, 2],
    [196_608, 3],
  ]);
  const silent: NodeId[] = [];
  const { answers } = begin(processes, { silent });
  assert.equal(await answers.answer(memory), 'MemTotal:       600 kB\n');
  silent.push(3);
  assert.deepEqual(await answers.answer({ kind: 'list', caller }), [{ node: 2, pids: [131_072] }]);
  assert.equal(await answers.answer(memory), 'MemTotal:       600 kB\n');
});

test('who sees only its node is shown no processes and no figures of others', async () => {
  const { answers } = begin(new Map([[131_072, 2]]), { local: true });
  assert.deepEqual(await answers.answer({ kind: 'list', caller }), []);
  assert.deepEqual(await answers.answer(look(131_072)), { results: undefined, node: 2 });
  assert.equal(await answers.answer(memory), 'MemTotal:       100 kB\n');
  const other = { ...caller, pid: CURIOUS + 1 };
  assert.deepEqual(await answers.answer({ kind: 'list', caller: other }), [
    { node: 2, pids: [131_072] },
    { node: 3, pids: [] },
  ]);
});

test('files of a node are its own; of a node that takes no part there are none', async () => {
  const { answers } = begin(new Map(), { dead: [3] });
  const file = (node: NodeId, name: 'meminfo' | 'nodeid' | 'session'): Promise<unknown> =>
    answers.answer({ kind: 'node-file', caller, node, file: name });
  assert.equal(await file(2, 'meminfo'), 'MemTotal:       200 kB\n');
  assert.equal(await file(2, 'nodeid'), '2\n');
  assert.equal(await file(0, 'nodeid'), '-\n');
  assert.equal(await file(0, 'session'), 'test\n');
  assert.equal(await file(3, 'meminfo'), undefined);
});
