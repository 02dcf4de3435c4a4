/** What a node and its processes use of the machine, for those who watch. */
import { readFileSync } from 'node:fs';
import { loadavg, uptime } from 'node:os';
import { z } from 'zod';
import type { Container } from '../../container/index.ts';
import { defineCall } from '../../rpc/index.ts';
import type { NodeSample, ProcessEntry } from '../api/types.ts';
import { processEntry, processesOf } from './process-list.ts';

/** USER_HZ: the unit of times in /proc/stat, fixed on Linux. */
const TICK_MILLISECONDS = 10;
/** Watchers share what was read so short a time ago. */
const SHARED_MILLISECONDS = 200;

const time = z.number();
const sample = z.object({
  at: z.number(),
  processors: z.int(),
  loadAverage: z.tuple([z.number(), z.number(), z.number()]).readonly(),
  processorTime: z.object({ user: time, system: time, idle: time, waiting: time, stolen: time }),
  memory: z.object({ totalBytes: z.number(), availableBytes: z.number(), swapTotalBytes: z.number(), swapFreeBytes: z.number() }),
  uptimeSeconds: z.number(),
  ownProcessorMilliseconds: z.number().nullable(),
});

/** Asks a node for a sample and its processes without husks. */
export const askUsage = defineCall('node.usage', z.object({}), z.object({ sample, processes: z.array(processEntry) }));

export interface UsageOfNode {
  readonly sample: NodeSample;
  readonly processes: ProcessEntry[];
}

/** The usage of this node; what several watchers ask for at once is read once. */
export function usageReader(container: Container, node: string, isHusk: (pid: number) => boolean): () => UsageOfNode {
  let last: UsageOfNode | undefined;
  return () => {
    if (last !== undefined && performance.now() - last.sample.at < SHARED_MILLISECONDS) return last;
    const processes = processesOf(container, node, isHusk).filter(({ kind }) => kind === 'process');
    last = { sample: takeSample(container), processes };
    return last;
  };
}

function takeSample(container: Container): NodeSample {
  const [one = 0, five = 0, fifteen = 0] = loadavg();
  const used = container.cgroup.processorMicroseconds;
  return {
    at: performance.now(),
    ...parseProcessorTimes(readFileSync('/proc/stat', 'latin1')),
    loadAverage: [one, five, fifteen],
    memory: parseMemory(readFileSync('/proc/meminfo', 'latin1')),
    uptimeSeconds: uptime(),
    ownProcessorMilliseconds: used === undefined ? null : used / 1000,
  };
}

/** Of /proc/stat: proc_stat(5). Time for guests is part of the time for users. */
export function parseProcessorTimes(text: string): Pick<NodeSample, 'processors' | 'processorTime'> {
  const [, all = ''] = /^cpu +(.*)$/m.exec(text) ?? [];
  const times = all.split(' ').map((ticks) => Number(ticks) * TICK_MILLISECONDS);
  const [user = 0, nice = 0, system = 0, idle = 0, waiting = 0, hard = 0, soft = 0, stolen = 0] = times;
  const processors = text.match(/^cpu\d/gm)?.length ?? 1;
  return { processors, processorTime: { user: user + nice, system: system + hard + soft, idle, waiting, stolen } };
}

/** Of /proc/meminfo: proc_meminfo(5). */
export function parseMemory(text: string): NodeSample['memory'] {
  const bytes = (name: string): number => Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return {
    totalBytes: bytes('MemTotal'),
    availableBytes: bytes('MemAvailable'),
    swapTotalBytes: bytes('SwapTotal'),
    swapFreeBytes: bytes('SwapFree'),
  };
}
