/**
 * Faults on purpose, for tests of what a fault at a given moment does. Nothing happens unless the daemon was started with KORRIGAN_FAULTS, a
 * directory: a file NODE.POINT there makes node NODE stumble when it comes to that point, once.
 * The file becomes NODE.POINT.reached then. Its content: `kill` (SIGKILL of the daemon), `pause` (the thread waits until that file is gone).
 */
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { sleepMicroseconds } from '../linux/index.ts';

const directory = process.env['KORRIGAN_FAULTS'];
const PAUSE_MICROSECONDS = 1000;

/** The moments at which a move can be disturbed, in their order on each side. */
export const FAULT_POINTS = {
  source: [
    'source.begun',
    'source.prepared',
    'source.stopped',
    'source.captured',
    'source.complete',
    'source.voted',
    'source.committed',
    'source.confirmed',
    'source.done',
    'source.deflated',
  ],
  target: [
    'target.begun',
    'target.made',
    'target.planned',
    'target.ready',
    'target.image',
    'target.completed',
    'target.frozen',
    'target.imported',
    'target.decided',
    'target.running',
    'target.arrived',
  ],
} as const;
export type FaultPoint = (typeof FAULT_POINTS)[keyof typeof FAULT_POINTS][number];

export function faultPoint(node: number, point: FaultPoint): void {
  if (directory === undefined) return;
  const file = join(directory, `${node}.${point}`);
  if (!existsSync(file)) return;
  const action = readFileSync(file, 'utf8').trim();
  renameSync(file, `${file}.reached`);
  if (action === 'kill') process.kill(process.pid, 'SIGKILL'); // it reaches this thread in a moment
  while (existsSync(`${file}.reached`)) sleepMicroseconds(PAUSE_MICROSECONDS);
}
