/**
 * Every feature program on a real cluster: started on node 1, moved to node 3, home again, and on to node 2 while it holds its state, then told to
 * check itself.
 */
import assert from 'node:assert/strict';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Feature, readFeatures } from './features.ts';
import { NOT_YET } from './not-yet.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import { buildProgram } from './support/programs.ts';

const ROUTE = [3, 1, 2];
let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster('features');
});
after(() => cluster[Symbol.asyncDispose]());

interface Verdict {
  printed: string;
  /** Why it was not moved, in the daemon's words. */
  refusal: string | undefined;
}

async function moved({ name, needs }: Feature): Promise<Verdict> {
  const output = join(cluster.directory, `${name}.out`);
  const go = join(cluster.directory, `${name}.go`);
  const printed = (): string => readFileSync(output, 'utf8');
  writeFileSync(output, '');
  chmodSync(output, 0o666);
  const pid = await cluster.start(await buildProgram(name), output, { KRG_GO: go, KRG_SCRATCH: cluster.directory });
  await eventually(`"ready" of ${name}`, () => /^(ready|skip|FAIL|pass)/m.test(printed()));
  let refusal: string | undefined;
  if (printed().startsWith('ready')) {
    const tree = needs.includes('tree') || needs.includes('family');
    try {
      for (const node of ROUTE) await cluster.move(pid, node, tree);
    } catch (error) {
      // One that meets its deadline by itself may be at its end on a machine that is slow.
      if (!(needs.includes('deadline') && /^pass$/m.test(printed()))) refusal = (error as Error).message;
    }
  }
  writeFileSync(go, '');
  await eventually(`the verdict of ${name} (refusal: ${refusal})`, () => /^(pass|FAIL|skip)/m.test(printed()));
  return { printed: printed(), refusal };
}

function testFeature(feature: Feature): void {
  const exception = NOT_YET[feature.name];
  test(`${feature.name}: ${feature.what}`, { todo: exception?.kind === 'differs' ? exception.why : false }, async (context) => {
    const { printed, refusal } = await moved(feature);
    if (printed.startsWith('skip')) {
      context.skip(printed.trim());
      return;
    }
    if (refusal !== undefined && feature.needs.includes('refusable')) {
      assert.match(refusal, /KRG_NOT_MOVABLE|KRG_PROCESS_BUSY/);
    } else if (exception?.kind === 'refused') {
      assert.match(
        refusal ?? '',
        /KRG_NOT_MOVABLE|KRG_PROCESS_BUSY/,
        `it was expected to be refused (${exception.why}), and printed ${printed}`,
      );
    } else {
      assert.equal(refusal, undefined);
    }
    // Whether it moved or was refused: the program notices nothing.
    assert.match(printed, /^ready\n(.*\n)*pass\n$/, printed);
  });
}

const [withTerminals, others] = [true, false].map((wanted) => readFeatures().filter(({ group }) => (group === 'tty') === wanted));

describe('state that moves between nodes', { concurrency: 2 }, () => others?.forEach(testFeature));

// One after the other: a terminal moves to where its number is free, and each node begins at 0.
describe('terminals that move between nodes', () => withTerminals?.forEach(testFeature));
