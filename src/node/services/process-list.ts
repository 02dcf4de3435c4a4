/** The processes of a container, from its own procfs. */
import { readdirSync, statSync } from 'node:fs';
import { uptime } from 'node:os';
import { z } from 'zod';
import type { Container } from '../../container/index.ts';
import { parseStat, type ProcessStat, readSmallFile } from '../../linux/index.ts';
import { defineCall } from '../../rpc/index.ts';
import type { ProcessEntry } from '../api/types.ts';

/** USER_HZ: the unit of times in /proc, fixed on Linux. */
const TICKS_PER_SECOND = 100;
const PAGE_SIZE = 4096;
/** Pid 1 and the threads that it was made with are not processes of the cluster. */
const INIT = 1;
/** Major number of the slaves of pseudo-terminals. */
const PTY_MAJOR = 136;

const pid = z.int();
export const processEntry = z.object({
  pid,
  ppid: pid,
  processGroup: pid,
  session: pid,
  uid: z.int(),
  node: z.string(),
  state: z.string(),
  terminal: z.string().nullable(),
  startedAt: z.number(),
  cpuTimeMilliseconds: z.number(),
  residentBytes: z.number(),
  virtualBytes: z.number(),
  nice: z.int(),
  threads: z.int(),
  command: z.string(),
  kind: z.enum(['process', 'husk']),
});

/** Asks a node for its processes. */
export const listProcesses = defineCall('node.processes', z.object({}), z.array(processEntry));

/** Everything that runs in the container. @param isHusk whether the process stands for one that runs elsewhere */
export function processesOf(container: Container, node: string, isHusk: (pid: number) => boolean): ProcessEntry[] {
  const bootedAt = Date.now() - uptime() * 1000;
  return readdirSync(container.procfsPath)
    .filter((name) => /^\d+$/.test(name) && Number(name) !== INIT)
    .flatMap((name) => describe(`${container.procfsPath}/${name}`, node, bootedAt, isHusk));
}

/** The owner of a process, or undefined when there is none. */
export function ownerOf(container: Container, process: number): number | undefined {
  return ignoreEnded(() => statSync(`${container.procfsPath}/${process}`).uid);
}

/** The processes of a group. */
export function membersOf(container: Container, group: number): number[] {
  return processesOf(container, '', () => false)
    .filter((process) => process.processGroup === group)
    .map((process) => process.pid);
}

/** None when the process has ended meanwhile. */
function describe(directory: string, node: string, bootedAt: number, isHusk: (pid: number) => boolean): ProcessEntry[] {
  const found = ignoreEnded((): ProcessEntry | undefined => {
    const text = readSmallFile(`${directory}/stat`);
    const line = readSmallFile(`${directory}/cmdline`);
    if (text === undefined || line === undefined) return undefined;
    const stat = parseStat(text);
    const commandLine = Buffer.from(line, 'latin1').toString('utf8').replace(/\0+$/, '').replaceAll('\0', ' ');
    return {
      pid: stat.pid,
      ppid: stat.parent,
      processGroup: stat.group,
      session: stat.session,
      uid: statSync(directory).uid,
      node,
      state: stat.state,
      terminal: terminalName(stat),
      startedAt: Math.round(bootedAt + (stat.startTime * 1000) / TICKS_PER_SECOND),
      cpuTimeMilliseconds: ((stat.userTicks + stat.systemTicks) * 1000) / TICKS_PER_SECOND,
      residentBytes: stat.residentPages * PAGE_SIZE,
      virtualBytes: stat.virtualBytes,
      nice: stat.nice,
      threads: stat.threads,
      command: commandLine === '' ? `[${stat.command}]` : commandLine,
      kind: isHusk(stat.pid) ? 'husk' : 'process',
    };
  });
  return found === undefined ? [] : [found];
}

/** Device numbers as in proc_pid_stat(5), field 7. */
function terminalName({ terminal }: ProcessStat): string | null {
  if (terminal === 0) return null;
  const major = (terminal >> 8) & 0xfff;
  const minor = (terminal & 0xff) | ((terminal >> 12) & 0xfff00);
  return major === PTY_MAJOR ? `pts/${minor}` : `${major}:${minor}`;
}

/** Undefined when what is read was of a process that has ended. */
export function ignoreEnded<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
