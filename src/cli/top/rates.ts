/** Rates, from what the nodes said twice. Pure. */
import type { ClusterUsage, NodeSample, ProcessEntry } from '../../node/api/index.ts';
import { processorShare } from '../process-columns.ts';
import type { NodeFigures, Picture, TopNode, TopProcess } from './model.ts';

/**
 * @param before what was said the time before; without it rates are those since the start of processes and machines
 * @param time now, milliseconds since the epoch
 */
export function pictureOf(before: ClusterUsage | undefined, usage: ClusterUsage, time: number): Picture {
  const earlier = new Map(before?.nodes.map(({ name, sample }) => [name, sample]));
  const earlierProcesses = new Map(before?.processes.map((entry) => [entry.pid, entry]));
  const samples = new Map(usage.nodes.map(({ name, sample }) => [name, sample]));
  const processes = usage.processes.map((entry): TopProcess => {
    const total = samples.get(entry.node)?.memory.totalBytes ?? 0;
    return {
      ...entry,
      cpu: processCpu(entry, earlierProcesses.get(entry.pid), elapsed(earlier.get(entry.node), samples.get(entry.node)), time),
      memory: total === 0 ? 0 : (100 * entry.residentBytes) / total,
    };
  });
  const here = Map.groupBy(processes, ({ node }) => node);
  const nodes = usage.nodes.map(({ name, state, sample }): TopNode => {
    const own = here.get(name) ?? [];
    const figures = sample === null ? null : figuresOf(earlier.get(name) ?? null, sample, own);
    return { name, state, figures, processes: own.length, running: own.filter((entry) => entry.state === 'R').length };
  });
  return { time, cluster: usage.cluster, node: usage.node, nodes, processes };
}

/** Milliseconds between two samples; undefined when there are not two of one daemon. */
function elapsed(before: NodeSample | null | undefined, now: NodeSample | null | undefined): number | undefined {
  const time = (now?.at ?? 0) - (before?.at ?? Infinity);
  return time > 0 ? time : undefined;
}

/** One that was not there before, on this node, has used all its time since then. */
function processCpu(entry: ProcessEntry, before: ProcessEntry | undefined, milliseconds: number | undefined, time: number): number {
  if (milliseconds === undefined) return processorShare(entry, time);
  const isSame = before?.node === entry.node && entry.cpuTimeMilliseconds >= before.cpuTimeMilliseconds;
  return (100 * (entry.cpuTimeMilliseconds - (isSame ? before.cpuTimeMilliseconds : 0))) / milliseconds;
}

function figuresOf(before: NodeSample | null, now: NodeSample, processes: readonly TopProcess[]): NodeFigures {
  const { memory, processors } = now;
  const difference = timesBetween(before, now);
  const total = Object.values(difference).reduce((sum, each) => sum + each, 0);
  const milliseconds = elapsed(before, now);
  const used = now.ownProcessorMilliseconds;
  const counted = before?.ownProcessorMilliseconds;
  const ofOneProcessor =
    used !== null && counted !== null && counted !== undefined && milliseconds !== undefined
      ? (100 * Math.max(0, used - counted)) / milliseconds
      : processes.reduce((sum, { cpu }) => sum + cpu, 0);
  return {
    cpu: total === 0 ? 0 : (100 * (difference.user + difference.system)) / total,
    own: Math.min(100, ofOneProcessor / processors),
    processors,
    loadAverage: now.loadAverage,
    memoryUsedBytes: memory.totalBytes - memory.availableBytes,
    memoryTotalBytes: memory.totalBytes,
    swapUsedBytes: memory.swapTotalBytes - memory.swapFreeBytes,
    swapTotalBytes: memory.swapTotalBytes,
    uptimeSeconds: now.uptimeSeconds,
  };
}

function timesBetween(before: NodeSample | null, { processorTime: now }: NodeSample): NodeSample['processorTime'] {
  const then = before?.processorTime;
  // A counter of a machine that was started anew begins again.
  const since = (name: keyof typeof now): number =>
    then === undefined || now.idle < then.idle ? now[name] : Math.max(0, now[name] - then[name]);
  return { user: since('user'), system: since('system'), idle: since('idle'), waiting: since('waiting'), stolen: since('stolen') };
}
