/** `krg demo`: a cluster of its own, a program that counts while it is moved, and the proof that no number is missing. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { KorriganError } from '../../linux/errors.ts';
import { NodeClient } from '../../node/api/index.ts';
import type { NodeDescription } from '../../node/api/index.ts';
import { countingArguments, examineNumbers, numbersPath, stopPath } from '../demo/counting.ts';
import type { Count } from '../demo/counting.ts';
import { Player } from '../demo/player.ts';
import { demoLines } from '../demo/view.ts';
import type { CommonOptions } from '../options.ts';
import { formatMicroseconds, printJson } from '../output.ts';
import { withProgress } from '../progress.ts';
import { withRights } from '../rights.ts';
import { Screen } from '../screen.ts';
import { enterRawMode } from '../terminal.ts';

export interface DemoOptions extends CommonOptions {
  readonly moves: string;
}

const NODES = 3;
const PAUSE_MILLISECONDS = 2000;
const FRAME_MILLISECONDS = 100;
const PATIENCE_MILLISECONDS = 10_000;

export async function demo(options: DemoOptions): Promise<number> {
  const moves = Number(options.moves);
  if (!Number.isInteger(moves) || moves < 1) throw new KorriganError('KRG_USAGE', `--moves takes a number from 1, not "${options.moves}"`);
  const json = options.json === true;
  const say = (line: string): void => void (json || process.stdout.write(`${line}\n`));
  const cluster = `demo-${process.pid}`;
  const { startCluster, stopCluster } = await import('../../node/cluster.ts');
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
  const { nodes } = await withRights('start a cluster', () =>
    withProgress(`starting ${NODES} nodes`, () => startCluster({ cluster, nodes: NODES })),
  );
  const directory = mkdtempSync(join(tmpdir(), 'korrigan-demo-'));
  try {
    say(`${NODES} nodes are up: ${nodes.map((node) => `${node.name} (${node.address})`).join(', ')}`);
    const player = await startCounting({ nodes, directory, moves, say });
    if (process.stdin.isTTY && process.stdout.isTTY && !json) await playOnTerminal(player, interrupted.signal);
    else await playAlone(player, say, interrupted.signal);
    const count = await endCounting(directory);
    const downtimes = [...player.downtimesMicroseconds];
    if (json) printJson({ moves: downtimes.length, downtimesMicroseconds: downtimes, ...count });
    say(verdict(count, downtimes));
    return count.fault === undefined ? 0 : 1;
  } finally {
    await withProgress('stopping the nodes', () => stopCluster(cluster));
    rmSync(directory, { recursive: true });
  }
}

interface Scene {
  readonly nodes: readonly NodeDescription[];
  readonly directory: string;
  readonly moves: number;
  readonly say: (line: string) => void;
}

async function startCounting({ nodes, directory, moves, say }: Scene): Promise<Player> {
  const client = new NodeClient(...nodes.map((node) => node.socket));
  const { pid, node } = await client.runDetached({
    arguments: countingArguments(directory),
    environment: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    workingDirectory: '/',
    umask: 0o022,
  });
  say(`${pid} counts on ${node}: bash with a pipeline, three processes in all`);
  await until(() => existsSync(numbersPath(directory)), 'the counting program has not begun');
  return new Player({ client, directory, nodes: nodes.map((each) => each.name), at: node, pid, moves });
}

async function endCounting(directory: string): Promise<Count> {
  writeFileSync(stopPath(directory), '');
  const read = (): Count => examineNumbers(readFileSync(numbersPath(directory), 'utf8'));
  await until(() => read().ended, 'the counting program did not end when it was told to');
  return read();
}

/** What the file proves. */
export function verdict({ numbers, fault }: Count, downtimesMicroseconds: readonly number[]): string {
  const sorted = downtimesMicroseconds.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  const stopped = median === undefined ? '' : `, each stopping it for ${formatMicroseconds(median)} (median)`;
  const moves = `${sorted.length} ${sorted.length === 1 ? 'move' : 'moves'}${stopped}`;
  if (fault !== undefined) return `FAULT after ${moves}: ${fault}, of ${numbers} numbers`;
  return `proof: ${numbers} numbers from 1 to ${numbers}, none missing, none twice, after ${moves}`;
}

async function playAlone(player: Player, say: (line: string) => void, stopped: AbortSignal): Promise<void> {
  while (!player.finished && (await pause(PAUSE_MILLISECONDS, stopped))) {
    const before = player.number();
    const line = await player.move();
    if (line !== undefined) say(`number ${String(before).padStart(4)}: ${line}`);
  }
  await pause(PAUSE_MILLISECONDS / 2, stopped);
}

async function playOnTerminal(player: Player, interrupted: AbortSignal): Promise<void> {
  const { stdin, stdout } = process;
  const { nodes } = player.state;
  const screen = new Screen(stdout);
  const leaveRawMode = enterRawMode(stdin);
  const ended = new AbortController();
  const stop = AbortSignal.any([interrupted, ended.signal]);
  // A failure ends the demo; `settled` throws it then.
  const move = (target?: string): void => {
    player.move(target).catch(() => ended.abort());
  };
  const onKeys = (keys: Buffer): void => {
    for (const key of keys.toString()) {
      if (key === 'q' || key === '\u0003' || key === '\u0004') ended.abort();
      else if (key === ' ' || key === '\r') move();
      else if (key === 'a') player.automatic = !player.automatic;
      else if (nodes[Number(key) - 1] !== undefined) move(nodes[Number(key) - 1]);
    }
  };
  stdin.on('data', onKeys);
  try {
    let nextMove = Date.now() + PAUSE_MILLISECONDS;
    while (!player.finished && (await pause(FRAME_MILLISECONDS, stop))) {
      await player.look();
      screen.draw(demoLines(player.state, stdout.columns));
      if (player.automatic && Date.now() >= nextMove) {
        nextMove = Date.now() + PAUSE_MILLISECONDS;
        move();
      }
    }
    await player.settled();
    await player.look();
    screen.draw(demoLines(player.state, stdout.columns));
  } finally {
    stdin.off('data', onKeys);
    stdin.pause();
    leaveRawMode();
    screen.leave();
  }
}

/** False when `stop` came first. */
async function pause(milliseconds: number, stop: AbortSignal): Promise<boolean> {
  try {
    await delay(milliseconds, undefined, { signal: stop });
    return true;
  } catch (error) {
    if (stop.aborted) return false;
    throw error;
  }
}

async function until(reached: () => boolean, otherwise: string): Promise<void> {
  const last = Date.now() + PATIENCE_MILLISECONDS;
  while (!reached()) {
    if (Date.now() > last) throw new KorriganError('KRG_DEADLINE', `${otherwise}, within ${PATIENCE_MILLISECONDS / 1000} s`);
    await delay(20);
  }
}
