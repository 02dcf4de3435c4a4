/** A cluster to draw, for tests. */
import type { ProcessEntry } from '../../node/api/index.ts';
import type { NodeFigures, Picture, TopNode, TopProcess } from './model.ts';

export const entry = (pid: number, changes: Partial<ProcessEntry> = {}): ProcessEntry => ({
  pid,
  ppid: 1,
  processGroup: pid,
  session: pid,
  uid: 0,
  node: 'node1',
  state: 'S',
  terminal: null,
  startedAt: 0,
  cpuTimeMilliseconds: 1000,
  residentBytes: 1 << 20,
  virtualBytes: 1 << 21,
  nice: 0,
  threads: 1,
  command: `program ${pid}`,
  kind: 'process',
  ...changes,
});

export const processOf = (pid: number, changes: Partial<TopProcess> = {}): TopProcess => ({
  ...entry(pid),
  cpu: 0,
  memory: 0.1,
  ...changes,
});

export const figures: NodeFigures = {
  cpu: 50,
  own: 25,
  processors: 2,
  loadAverage: [1.5, 1, 0.5],
  memoryUsedBytes: 4 << 20,
  memoryTotalBytes: 16 << 20,
  swapUsedBytes: 0,
  swapTotalBytes: 0,
  uptimeSeconds: 60,
};

export const node = (name: string, changes: Partial<TopNode> = {}): TopNode => ({
  name,
  state: 'online',
  figures,
  processes: 1,
  running: 0,
  ...changes,
});

export const picture = (changes: Partial<Picture> = {}): Picture => ({
  time: 0,
  cluster: 'lab',
  node: 'node1',
  nodes: [node('node1'), node('node2', { running: 1, figures: { ...figures, cpu: 7 } }), node('node3', { state: 'dead', figures: null })],
  processes: [
    processOf(101, { command: 'bash', cpu: 0.5 }),
    processOf(102, { ppid: 101, node: 'node2', command: 'python3 crunch.py', cpu: 99.7, state: 'R', uid: 1000 }),
    processOf(103, { ppid: 101, command: 'sleep 100', nice: 5 }),
    processOf(104, { node: 'node2', command: 'make -j8', cpu: 12, residentBytes: 900 << 20 }),
  ],
  ...changes,
});
