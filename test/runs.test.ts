/**
 * Attached programs while daemons are killed: nobody sees an error, and not a byte, signal or status is lost or doubled, on the node that was
 * asked and on another one, at rest and on the move.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  daemonPid,
  NodeClient,
  restartDaemon,
  startCluster,
  stopCluster,
  type AttachedProcess,
  type RunRequest,
} from '../src/node/index.ts';

const cluster = `runs-${process.pid}`;
let client: NodeClient;

before(async () => {
  const { nodes } = await startCluster({ cluster, nodes: 2 });
  client = new NodeClient(...nodes.map(({ socket }) => socket));
});
after(() => stopCluster(cluster));

function start(words: readonly string[], more: Partial<RunRequest> = {}): Promise<AttachedProcess> {
  const environment = { PATH: '/usr/bin:/bin', PS1: '$ ' };
  return client.run({ arguments: [...words], environment, workingDirectory: '/', umask: 0o22, ...more });
}

/** Kills a daemon, whichever runs at the moment. */
function killDaemon(node: number): void {
  try {
    process.kill(daemonPid(cluster, node), 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // the supervisor is about to start the next one
  }
}

async function until(what: string, question: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 60_000; !(await question()); await delay(10)) {
    if (Date.now() > deadline) assert.fail(`waited in vain for ${what}`);
  }
}

/** Sends numbers into a program that gives them back, and checks each; `disturb` is called again and again on the way. */
async function carryNumbers(
  program: AttachedProcess,
  bytes: number,
  steps: number,
  disturb: (step: number) => Promise<void>,
): Promise<void> {
  const chunkBytes = 65_536;
  let received = 0;
  program.stdout.on('data', (chunk: Buffer) => {
    for (let n = 0; n < chunk.length; n++) {
      const at = received + n;
      // One byte of the number of the 4-byte word at this place.
      if (chunk[n] !== (((at >>> 2) >>> (8 * (at & 3))) & 0xff)) assert.fail(`byte ${at} is wrong`);
    }
    received += chunk.length;
  });
  const ended = once(program.stdout, 'end');
  for (let step = 0, sent = 0; step < steps; step++) {
    for (; sent < ((step + 1) * bytes) / steps; sent += chunkBytes) {
      const chunk = Buffer.allocUnsafe(chunkBytes);
      for (let n = 0; n < chunkBytes; n += 4) chunk.writeUInt32LE((sent + n) >>> 2, n);
      if (!program.stdin.write(chunk)) await once(program.stdin, 'drain');
    }
    await disturb(step);
  }
  program.stdin.end();
  await ended;
  assert.equal(received, Math.ceil(bytes / chunkBytes) * chunkBytes);
}

for (const node of [1, 2]) {
  test(`a program on node ${node} and its user notice nothing of ten killed daemons`, async () => {
    const program = await start(['sh', '-c', 'cat; exit 42'], { node: `node${node}` });
    await carryNumbers(program, 20_000_000, 10, async (step) => {
      killDaemon(step % 2 === 0 ? node : 3 - node);
      await delay((step * 37) % 200);
    });
    assert.deepEqual(await program.exited, { kind: 'exited', code: 42 });
  });

  test(`a program on node ${node} that ends while its daemon is dead has its status and its last words told`, async () => {
    const program = await start(['sh', '-c', 'echo ready; read line; echo "last $line"; exit 7'], { node: `node${node}` });
    let text = '';
    program.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await until('its beginning', () => text === 'ready\n');
    program.stdin.write('words\n');
    killDaemon(node);
    assert.deepEqual(await program.exited, { kind: 'exited', code: 7 });
    await until('its last words', () => text === 'ready\nlast words\n');
  });

  test(`signals to a program on node ${node} arrive once each`, async () => {
    const script = 'n=0; trap \'n=$((n+1)); echo $n\' USR1; trap "exit 5" TERM; echo ready; while :; do sleep 0.02; done';
    const program = await start(['sh', '-c', script], { node: `node${node}` });
    let lines: string[] = [];
    let text = '';
    program.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      lines = text.trimEnd().split('\n');
    });
    await until('its beginning', () => lines[0] === 'ready');
    for (let count = 1; count <= 8; count++) {
      if (count % 2 === 0) killDaemon(node);
      program.signal(10);
      await until(`signal ${count}`, () => lines.length > count);
    }
    program.signal(15);
    assert.deepEqual(await program.exited, { kind: 'exited', code: 5 });
    assert.deepEqual(lines, ['ready', '1', '2', '3', '4', '5', '6', '7', '8']);
  });
}

test('a shell on a terminal goes on when its daemon is killed: lines, ^C, the size of the window, its status', async () => {
  const program = await start(['bash', '--norc', '-i'], { node: 'node2', terminal: { columns: 100, rows: 30, type: 'dumb' } });
  let text = '';
  program.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const see = (what: string): Promise<void> =>
    until(JSON.stringify(what), () => {
      const at = text.indexOf(what);
      if (at >= 0) text = text.slice(at + what.length);
      return at >= 0;
    });
  await see('$ ');
  for (let round = 0; round < 3; round++) {
    killDaemon(1 + (round % 2));
    program.stdin.write(`echo round $((${round}+100))\r`);
    await see(`round ${100 + round}\r\n`);
    program.resize(100 + round, 40);
    killDaemon(2 - (round % 2));
    await see('$ ');
    program.stdin.write(`until [ "$(stty size)" = "40 ${100 + round}" ]; do sleep 0.05; done; echo so"me"thing; sleep 300${round}\r`);
    await see('something\r\n');
    // Until it runs ^C is for the shell, which may start it all the same.
    await until('what ^C is for', async () => (await client.processes()).some(({ command }) => command === `sleep 300${round}`));
    killDaemon(2);
    await delay(50);
    program.stdin.write('\x03');
    await see('^C');
  }
  program.stdin.write('exit 6\r');
  assert.deepEqual(await program.exited, { kind: 'exited', code: 6 });
});

test('a program that is started while daemons die is started once', async () => {
  for (let round = 0; round < 6; round++) {
    const starting = start(['sh', '-c', `echo $$; exec sleep 100${round}`], { node: 'node2' });
    const delayed = delay(round * 4).then(() => killDaemon(1 + (round % 2)));
    const program = await starting;
    const { pid } = await program.started;
    await delayed;
    let text = '';
    program.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await until('its pid', () => text === `${pid}\n`);
    await until('the list', async () => {
      const same = (await client.processes()).filter(({ command }) => command === `sleep 100${round}`);
      assert.ok(same.length <= 1, JSON.stringify(same));
      return same.length === 1;
    });
    program.signal(15);
    assert.deepEqual(await program.exited, { kind: 'signalled', signal: 15, coreDumped: false });
  }
});

test('a detached program that is started while daemons die is started once', async () => {
  for (let round = 0; round < 6; round++) {
    const words = { arguments: ['sleep', `200${round}`], environment: { PATH: '/usr/bin:/bin' }, workingDirectory: '/', umask: 0o22 };
    const starting = client.runDetached({ ...words, node: `node${1 + (round % 2)}` });
    await delay(round * 3);
    killDaemon(1 + (round % 2));
    const { pid } = await starting;
    await until('the list', async () => {
      const same = (await client.processes()).filter(({ command }) => command === `sleep 200${round}`);
      assert.ok(same.length <= 1, JSON.stringify(same));
      return same[0]?.pid === pid;
    });
    await until('the kill', () =>
      client.kill(pid, 9).then(
        () => true,
        () => false,
      ),
    );
  }
});

test('bytes flow both ways through a program that moves, while daemons are killed', async () => {
  const program = await start(['cat'], { node: 'node1' });
  const { pid } = await program.started;
  let at = 1;
  await carryNumbers(program, 12_000_000, 12, async (step) => {
    if (step % 3 === 0) killDaemon(1 + ((step / 3) % 2));
    if (step % 3 !== 1) return;
    const target = 3 - at;
    // A daemon that was killed just now, or over it, refuses or loses the request; the process goes on.
    await until('the move', async () => {
      const [result] = await client.migrate({ pids: [pid], node: `node${target}` }).catch(() => []);
      return result?.outcome === 'moved' || result?.outcome === 'already-there';
    });
    at = target;
  });
  assert.deepEqual(await program.exited, { kind: 'exited', code: 0 });
});

test('a user who goes away is noticed, and nothing is left in the containers', async () => {
  for (const node of [1, 2]) await restartDaemon(cluster, node);
  const programs = await Promise.all([1, 2].map((node) => start(['sleep', '1000'], { node: `node${node}` })));
  await Promise.all(programs.map(({ started }) => started));
  for (const program of programs) program.close();
  let left: Awaited<ReturnType<typeof client.processes>> = [];
  await until('the hang-up', async () => {
    left = await client.processes();
    return left.length === 0;
  }).catch(() => assert.deepEqual(left, []));
});
