/** A session and its terminal, moved to and fro: nobody loses it, nobody hears of what did not happen, whichever daemon is killed meanwhile. */
import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { FaultPoint } from '../src/epm/index.ts';
import { eventually, startTestCluster, type TestCluster } from './support/cluster.ts';
import { Faults } from './support/faults.ts';
import { buildProgram } from './support/programs.ts';

let cluster: TestCluster;
let faults: Faults;
before(async () => {
  faults = new Faults();
  cluster = await startTestCluster('sessions');
});
after(async () => {
  await cluster[Symbol.asyncDispose]();
  faults[Symbol.dispose]();
});

class Session {
  readonly pid: number;
  private readonly output: string;
  private readonly commands: string;

  private constructor(pid: number, output: string, commands: string) {
    this.pid = pid;
    this.output = output;
    this.commands = commands;
  }

  static async start(name: string): Promise<Session> {
    const [output, commands] = [join(cluster.directory, `${name}.out`), join(cluster.directory, `${name}.commands`)];
    writeFileSync(commands, '');
    const session = new Session(
      await cluster.start(await buildProgram('session_terminal'), output, { KRG_COMMANDS: commands }),
      output,
      commands,
    );
    await session.tells('ready');
    return session;
  }

  get lines(): string[] {
    return readFileSync(this.output, 'utf8').split('\n').slice(0, -1);
  }

  /** The lines after `seen` of them, in any order, once they are as many as expected. */
  async tells(...expected: string[]): Promise<void> {
    const wanted = [...this.seen, ...expected].toSorted();
    await eventually(`${expected.join(', ')} after ${this.seen.join(', ')}`, () => this.lines.length >= wanted.length);
    assert.deepEqual(this.lines.toSorted(), wanted);
    this.seen = wanted;
  }
  private seen: string[] = [];

  async does(command: string, ...expected: string[]): Promise<void> {
    appendFileSync(this.commands, command);
    await this.tells(...expected);
  }

  async hasTerminal(): Promise<void> {
    await this.does('t', 'leader has a terminal', 'member has a terminal');
  }

  async end(): Promise<void> {
    await this.does('q', 'pass');
  }

  async isOn(node: number): Promise<boolean> {
    try {
      const found = (await cluster.client.processes()).filter(({ pid, kind }) => pid === this.pid && kind === 'process');
      return found.length === 1 && found[0]?.node === `node${node}`;
    } catch {
      return false;
    }
  }

  /** What a fault before has left behind may still be settled. */
  async bringTo(node: number): Promise<void> {
    let refusal = '';
    try {
      await eventually(`process ${this.pid} to come to node ${node}`, async () => {
        if (await this.isOn(node)) return true;
        await cluster.move(this.pid, node, true).catch((error: Error) => (refusal = error.message));
        return this.isOn(node);
      });
    } catch (error) {
      throw new Error(`it was refused at last: ${refusal}`, { cause: error });
    }
  }
}

test('each keeps it, its foreground group and its size, and is told once of what changes', async () => {
  const session = await Session.start('kept');
  for (const node of [2, 3, 1, 2, 1]) {
    await cluster.move(session.pid, node, true);
    await session.hasTerminal();
    await session.does('i', 'member INT');
    await session.does('w', 'member WINCH');
  }
  await session.end();
});

test('one that is hung up away from home is so at home, and its session has heard of it once', async () => {
  const session = await Session.start('hung-up');
  await cluster.move(session.pid, 2, true);
  await session.does('h', 'leader HUP', 'leader CONT');
  for (const node of [1, 3]) {
    await cluster.move(session.pid, node, true);
    await session.does('t', 'leader has none', 'member has none');
  }
  await session.end();
});

const POINTS = {
  source: ['source.captured', 'source.complete', 'source.committed', 'source.done', 'source.deflated'],
  target: ['target.ready', 'target.image', 'target.completed', 'target.imported', 'target.decided', 'target.arrived'],
} as const satisfies Record<string, readonly FaultPoint[]>;

for (const side of ['source', 'target'] as const) {
  test(`each keeps it when the ${side}'s daemon is killed over a move, away or home`, async () => {
    const session = await Session.start(side);
    for (const point of POINTS[side]) {
      for (const [from, to] of [
        [1, 2],
        [2, 1],
      ] as const) {
        await session.bringTo(from);
        const killed = side === 'source' ? from : to;
        faults.kill(killed, point);
        const refusals = new Set<string>();
        try {
          await eventually(`node ${killed} to come to ${point}`, async () => {
            await cluster.move(session.pid, to, true).catch((error: Error) => refusals.add(error.message));
            return faults.wasReached(killed, point);
          });
        } catch (error) {
          throw new Error(`it was refused: ${[...refusals].join('; ')}`, { cause: error });
        }
        faults.forget(killed, point);
        await eventually('all nodes', async () => (await cluster.client.status()).nodes.every(({ state }) => state === 'online'));
        await eventually('one place', async () => (await session.isOn(1)) || session.isOn(2));
        await session.hasTerminal();
      }
    }
    await session.does('i', 'member INT');
    await session.end();
  });
}
