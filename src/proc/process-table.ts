/** The processes of a container as its own procfs shows them: all pids are those of the container. */
import { readdirSync, readFileSync } from 'node:fs';
import { KeyValues, parseStat, type ProcessStat, ptyOf } from '../linux/index.ts';
import type { Member, ProcessTable } from './relatives.ts';

/** What a husk shows of its process to ps, and to the checks of kill(2). */
export interface Appearance {
  /** Name, as in /proc/PID/comm. */
  readonly command: string;
  /** As /proc/PID/cmdline. */
  readonly commandLine: Uint8Array;
  /** Real and saved user id: those that decide who may send it a signal. */
  readonly users: readonly [real: number, saved: number];
  /** What its parent gets at its end; SIGCHLD as a rule. */
  readonly exitSignal: number;
}

export class ContainerTable implements ProcessTable {
  private readonly procfs: string;

  /** @param procfs directory of the container's procfs */
  constructor(procfs: string) {
    this.procfs = procfs;
  }

  find(pid: number): Member | undefined {
    const text = this.read(pid, 'stat');
    return text === undefined ? undefined : memberOf(parseStat(text));
  }

  childrenOf(pid: number): number[] {
    const threads = this.list(`${pid}/task`);
    return threads.flatMap((tid) => (this.read(pid, `task/${tid}/children`) ?? '').split(' ').filter(Boolean).map(Number));
  }

  all(): Member[] {
    return this.list('').flatMap((pid) => this.find(pid) ?? []);
  }

  /** The process of a thread, or the process itself; undefined when there is none. */
  processOf(id: number): number | undefined {
    const text = this.read(id, 'status');
    return text === undefined ? undefined : Number(new KeyValues(text).get('Tgid'));
  }

  isProcess(id: number): boolean {
    return this.processOf(id) === id;
  }

  appearanceOf(pid: number): Appearance | undefined {
    const text = this.read(pid, 'status');
    if (text === undefined) return undefined;
    const [real = 0, , saved = 0] = (new KeyValues(text).get('Uid') ?? '').split(/\s+/).map(Number);
    const command = Buffer.from((this.read(pid, 'comm') ?? '').replace(/\n$/, ''), 'latin1').toString('utf8');
    const exitSignal = parseStat(this.read(pid, 'stat') ?? '').exitSignal;
    return { command, commandLine: Buffer.from(this.read(pid, 'cmdline') ?? '', 'latin1'), users: [real, saved], exitSignal };
  }

  private read(pid: number, file: string): string | undefined {
    try {
      return readFileSync(`${this.procfs}/${pid}/${file}`, 'latin1');
    } catch {
      return undefined; // it has ended
    }
  }

  private list(directory: string): number[] {
    try {
      return readdirSync(`${this.procfs}/${directory}`)
        .filter((name) => /^\d+$/.test(name))
        .map(Number);
    } catch {
      return []; // it has ended
    }
  }
}

/** A leader that has ended while other threads go on is a living process. */
function memberOf({ pid, parent, group, session, state, threads, exitCode, terminal: device }: ProcessStat): Member {
  const ended = (state === 'Z' || state === 'X') && threads <= 1;
  const terminal = ptyOf(device);
  return { pid, parent, group, session, ...(ended ? { ended: exitCode } : {}), ...(terminal === undefined ? {} : { terminal }) };
}
