/** Somebody on the way reads and changes what a move sends: whatever he does, the processes go on, once, and all that he gets is noise. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from './support/engine.ts';
import { type JoinedNode, startJoinedNodes } from './support/joined-node.ts';
import { buildProgram } from './support/programs.ts';
import { type Direction, type Tamper, tamperWithMovesFrom } from './support/tampering.ts';

const directory = mkdtempSync(join(tmpdir(), 'korrigan-tampered-'));
chmodSync(directory, 0o755);
const output = join(directory, 'counter.out');
const DIRECTIONS: readonly Direction[] = ['to the target', 'to the source'];
let nodes: readonly JoinedNode[] = [];
let pid = 0;

before(async () => {
  nodes = await startJoinedNodes(`test-tampered-${process.pid}`, 2);
  pid = await node(1).start(`exec ${await buildProgram('counter')} 2`, output);
  await until(() => numbers().length > 3, 'the first numbers');
});
after(async () => {
  for (const joined of nodes) await joined[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

function node(id: number): JoinedNode {
  const found = nodes[id - 1];
  assert.ok(found);
  return found;
}

const numbers = (): number[] => readFileSync(output, { encoding: 'utf8', flag: 'a+' }).split('\n').slice(0, -1).map(Number);

/** Moves the counter to the other node. @returns how that failed */
async function move(tamper?: Tamper): Promise<string | undefined> {
  const from = await node(1).proc.locate(pid);
  const tampering = tamper === undefined ? undefined : tamperWithMovesFrom(node(from), tamper);
  try {
    await node(from).epm.migrate(pid, 3 - from, false);
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  } finally {
    tampering?.[Symbol.dispose]();
  }
}

/** It goes on, without a number that is missing or double. */
async function assertWhole(what: string): Promise<void> {
  const seen = numbers().length;
  await until(() => numbers().length > seen + 3, `progress after ${what}`);
  const all = numbers();
  assert.deepEqual(all, [...all.keys()], what);
}

/** Records of a move in a direction. */
async function countRecords(wanted: Direction): Promise<number> {
  let count = 0;
  assert.equal(
    await move((record, _n, direction) => {
      if (direction === wanted) count++;
      return [record];
    }),
    undefined,
  );
  return count;
}

const changed = (record: Buffer): Buffer => {
  const copy = Buffer.from(record);
  copy[copy.length >> 1] = (copy[copy.length >> 1] ?? 0) ^ 0x10;
  return copy;
};

test('what a program has in its memory is not seen on the way', async () => {
  const seen: Buffer[] = [];
  assert.equal(await move((record) => (seen.push(Buffer.from(record)), [record])), undefined);
  const wire = Buffer.concat(seen);
  assert.ok(wire.length > 20_000);
  // Of its environment, its files, and of every message.
  for (const clear of ['PATH=', directory, 'kind', 'imageVersion']) assert.ok(!wire.includes(clear), `${clear} was seen`);
  await assertWhole('a move that was watched');
});

type Attack = (record: Buffer, earlier: readonly Buffer[]) => readonly (Buffer | 'cut')[];
const half = (record: Buffer): Buffer => record.subarray(0, record.length >> 1);
const attacks: readonly [string, Attack, RegExp][] = [
  ['changed', (record) => [changed(record)], /^KRG_PEER_FORGED$/],
  ['replaced by the one before', (record, earlier) => [earlier.at(-1) ?? changed(record)], /^KRG_PEER_FORGED$/],
  ['repeated', (record) => [record, record], /^KRG_(PEER_FORGED|NODE_DEAD)$/],
  ['cut off in the middle', (record) => [half(record), 'cut'], /^KRG_NODE_DEAD$/],
];

for (const direction of DIRECTIONS) {
  for (const [name, attack, refusal] of attacks) {
    test(`each record ${direction} in turn is ${name}: the move is refused or over, and the process goes on, once`, async () => {
      const count = await countRecords(direction);
      assert.ok(count >= 4);
      let refusals = 0;
      // Who says nothing that proves it is the source is passed over: the target goes on waiting then.
      for (let attacked = direction === 'to the target' ? 1 : 0; attacked < count; attacked++) {
        const at = await node(1).proc.locate(pid);
        const refused = await move((record, n, towards, earlier) =>
          towards === direction && n === attacked ? attack(record, earlier) : [record],
        );
        const what = `record ${attacked} ${direction} was ${name}`;
        if (refused !== undefined) {
          refusals++;
          assert.match(refused, refusal, what);
        }
        await assertWhole(what);
        // Before the decision, which is the source's last record, it stays.
        const isDecided = direction === 'to the target' ? attacked === count - 1 : attacked >= count - 1;
        if (!isDecided && refused !== undefined) assert.equal(await node(1).proc.locate(pid), at, what);
      }
      assert.ok(refusals >= 2, `only ${refusals} of ${count} were refused`);
    });
  }
}
