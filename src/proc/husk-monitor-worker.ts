/** The monitor's thread: carries out commands, and looks at what has happened to the husks. */
import { parentPort, workerData } from 'node:worker_threads';
import { Lane, sendDescriptors } from '../container/index.ts';
import { ControlGroup, converse, KorriganError, messageWithDescriptors, PidNamespace } from '../linux/index.ts';
import { deliverSignals } from './husk-end.ts';
import { HuskMonitor } from './husk-monitor.ts';
import type { MonitorCommand, MonitorCommands, MonitorMessage, MonitorWorkerData } from './husk-monitor-protocol.ts';
import { ContainerTable } from './process-table.ts';
import { becomeTemplate } from './template.ts';

/** How soon the stop or end of a husk, or the end of a process that is watched, is seen. Nothing in the kernel tells of both. */
const LOOK_MILLISECONDS = 2;

const { initPid, procfs, huskGroup, lane: laneIndex, recordPipe } = workerData as MonitorWorkerData;
const namespace = new PidNamespace(initPid);
const hostPidOf = (pid: number): number | undefined => namespace.toHere(pid);
const monitor = new HuskMonitor({
  table: new ContainerTable(procfs),
  hostPidOf,
  group: new ControlGroup(huskGroup),
  report: (event) => tell({ kind: 'event', event }),
});
let timer: NodeJS.Timeout | undefined;
let lane: Lane | undefined;

function tell(message: MonitorMessage): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port of a worker, not a window
  parentPort?.postMessage(message);
}

const commands: MonitorCommands = {
  becomeTemplate: (pid, hostPid) => {
    lane ??= Lane.attach(initPid, laneIndex);
    const own = lane;
    becomeTemplate(hostPid, {
      pid,
      sendRecordPipe: (of, socket) => converse(own, sendDescriptors(of, socket, [messageWithDescriptors([recordPipe])])),
    });
  },
  watch: (pids) => pids.forEach((pid) => monitor.watch(pid)),
  forgetEnded: (hostPids) => monitor.forgetEnded(hostPids),
  adopt: (pids) => pids.forEach((pid) => monitor.adopt(pid)),
  release: (pids) => monitor.release(pids),
  discard: (pids) => pids.forEach((pid) => monitor.discard(pid)),
  prepare: (family, husks, template, born) => monitor.prepare(family, husks, template, born),
  end: (pid, status) => monitor.end(pid, status),
  stop: (pid, signal) => monitor.stop(pid, signal),
  continue: (pid) => monitor.continue(pid),
  children: (pid) => monitor.children(pid),
  collect: (pid) => monitor.collect(pid),
  proxies: (husks, visitors, present) => monitor.proxies(husks, visitors, present),
  deathSignal: (pid) => monitor.deathSignal(pid),
  relate: (pid, group) => monitor.relate(pid, group),
  tidy: (request) => monitor.tidy(request),
  deliver: (pid, signals, thread) => {
    const hostPid = hostPidOf(pid);
    if (hostPid === undefined) throw new KorriganError('KRG_NO_SUCH_PROCESS', `process ${pid} has ended`);
    deliverSignals(hostPid, pid, signals, thread);
  },
};

parentPort?.on('message', ({ id, name, arguments: given }: MonitorCommand) => {
  try {
    const value = (commands[name] as (...args: readonly unknown[]) => unknown)(...given);
    tell({ kind: 'answer', id, value });
  } catch (error) {
    const { message, stack } = error as Error;
    const code = error instanceof KorriganError ? error.code : 'KRG_INTERNAL';
    tell({ kind: 'failed', id, error: { code, message, ...(stack === undefined ? {} : { stack }) } });
  }
  if (monitor.isBusy) timer ??= setInterval(look, LOOK_MILLISECONDS);
});

function look(): void {
  monitor.look();
  if (monitor.isBusy) return;
  clearInterval(timer);
  timer = undefined;
}
