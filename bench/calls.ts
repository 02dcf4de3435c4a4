/**
 * What system calls cost that name processes, on two nodes of this machine: let pass, noticed, and carried out on the other node; beside the same call on the
 * host, and the floor of a trapped call in C. Part of `npm run bench`; alone: `node bench/calls.ts`.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NodeClient, startCluster, stopCluster } from '../src/node/index.ts';
import { align } from './table.ts';

const CLUSTER = `calls-${process.pid}`;
const SPAWNS = 1000;
const ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin' };

export interface CallMeasurement {
  readonly name: string;
  readonly microseconds: number;
  /** Name of what it is compared with. */
  readonly floor?: string;
  /** In floors. */
  readonly bar?: number;
}

export async function measureCalls(): Promise<CallMeasurement[]> {
  const directory = mkdtempSync(join(tmpdir(), 'korrigan-calls-'));
  const program = join(directory, 'calls');
  execFileSync('gcc', ['-O2', '-o', program, join(import.meta.dirname, '../test/programs/bench/calls.c')]);
  const onHost = (...words: string[]): number => Number(execFileSync(program, words, { encoding: 'utf8' })) / 1000;
  try {
    const { nodes } = await startCluster({ cluster: CLUSTER, nodes: 2 });
    const client = new NodeClient(...nodes.map(({ socket }) => socket));
    const start = (node: string, ...words: string[]): Promise<Awaited<ReturnType<NodeClient['run']>>> =>
      client.run({ arguments: [program, ...words], environment: ENVIRONMENT, workingDirectory: '/', umask: 0o22, node });
    const inside = async (...words: string[]): Promise<number> => {
      const { stdout, exited } = await start('node1', ...words);
      const [output] = await Promise.all([text(stdout), exited]);
      return Number(output) / 1000;
    };
    const partner = await start('node2', 'pong');
    const there = String((await partner.started).pid);
    const neighbour = await start('node1', 'pong');
    const here = String((await neighbour.started).pid);
    const measured: CallMeasurement[] = [
      { name: 'getppid, host', microseconds: onHost('time', 'getppid', 'self') },
      { name: 'getppid, in the container', microseconds: await inside('time', 'getppid', 'self'), floor: 'getppid, host' },
      { name: 'a trapped call in C', microseconds: onHost('floor') },
      {
        name: 'getpriority, trapped, of a process here',
        microseconds: await inside('time', 'getpriority', here),
        floor: 'a trapped call in C',
        bar: 1.5,
      },
      {
        name: 'getpriority of a process elsewhere',
        microseconds: await inside('time', 'getpriority', there),
        floor: 'a trapped call in C',
      },
      { name: 'kill of a process elsewhere', microseconds: await inside('time', 'kill', there), floor: 'a trapped call in C' },
      { name: 'signal there and back, same node', microseconds: await inside('ping', here) },
      {
        name: 'signal there and back, another node',
        microseconds: await inside('ping', there),
        floor: 'signal there and back, same node',
      },
      { name: 'fork, exec, wait: host', microseconds: onHost('spawn', String(SPAWNS)) },
      {
        name: 'fork, exec, wait: in the container',
        microseconds: await inside('spawn', String(SPAWNS)),
        floor: 'fork, exec, wait: host',
        bar: 1.05,
      },
    ];
    for (const each of [partner, neighbour]) {
      await client.kill((await each.started).pid, 15);
      await each.exited;
    }
    return measured;
  } finally {
    await stopCluster(CLUSTER);
    rmSync(directory, { recursive: true });
  }
}

export function formatCalls(measurements: readonly CallMeasurement[]): string {
  const rows = measurements.map(({ name, microseconds, floor, bar }) => {
    const against = measurements.find((other) => other.name === floor);
    const ratio = against === undefined ? undefined : microseconds / against.microseconds;
    const verdict = bar === undefined || ratio === undefined ? '' : `<= ${bar} ${ratio <= bar ? 'held' : 'missed'}`;
    return [
      name,
      microseconds.toFixed(microseconds < 10 ? 2 : 0),
      ratio === undefined ? '' : `${ratio.toFixed(2)}x ${against?.name ?? ''}`,
      verdict,
    ];
  });
  return align([['', 'us', 'against', 'bar'], ...rows]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(formatCalls(await measureCalls()));
