/**
 * Parsers for /proc/PID files (man 5 proc). Pids are those of the procfs that is mounted on this process's /proc.
 */
import { readlinkSync } from 'node:fs';
import { readSmallFile } from './small-files.ts';

/** The text of /proc/PID/FILE, or undefined when the process or file is gone. */
export function readProcessFile(pid: number, file: string): string | undefined {
  return readSmallFile(`/proc/${pid}/${file}`);
}

/** One line of /proc/PID/maps. Addresses and offsets are Numbers: user addresses are below 2^47. */
export interface MemoryArea {
  start: number;
  end: number;
  /** Bits PROT_READ 1, PROT_WRITE 2, PROT_EXEC 4. */
  protection: number;
  shared: boolean;
  /** Offset in the file, in bytes. */
  offset: number;
  device: string;
  inode: number;
  /** Path, [heap], [stack], [vdso] …; empty for anonymous memory. "(deleted)" is kept. */
  name: string;
}

const mapsLine = /^([0-9a-f]+)-([0-9a-f]+) ([r-])([w-])([x-])([ps]) ([0-9a-f]+) ([0-9a-f]+:[0-9a-f]+) (\d+) *(.*)$/;

export function parseMaps(text: string): MemoryArea[] {
  const areas: MemoryArea[] = [];
  for (const line of text.split('\n')) {
    const match = mapsLine.exec(line);
    if (match === null) continue;
    const [, start = '', end = '', r, w, x, kind, offset = '', device = '', inode, name = ''] = match;
    areas.push({
      start: Number.parseInt(start, 16),
      end: Number.parseInt(end, 16),
      protection: (r === 'r' ? 1 : 0) | (w === 'w' ? 2 : 0) | (x === 'x' ? 4 : 0),
      shared: kind === 's',
      offset: Number.parseInt(offset, 16),
      device,
      inode: Number(inode),
      name: unescapePath(name),
    });
  }
  return areas;
}

/** The first area with this name. */
export function readNamedArea(pid: number, name: string): MemoryArea | undefined {
  const text = readProcessFile(pid, 'maps') ?? '';
  for (let at = text.indexOf(name); at >= 0; at = text.indexOf(name, at + 1)) {
    const end = text.indexOf('\n', at);
    const [area] = parseMaps(text.slice(text.lastIndexOf('\n', at) + 1, end < 0 ? text.length : end));
    if (area?.name === name) return area;
  }
  return undefined;
}

export function readMaps(pid: number): MemoryArea[] {
  return parseMaps(readProcessFile(pid, 'maps') ?? '');
}

/** Undoes the octal escapes (\040 …) of paths in /proc files, and latin1 decoding. */
function unescapePath(name: string): string {
  const raw = name.includes('\\')
    ? name.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
    : name;
  return Buffer.from(raw, 'latin1').toString('utf8');
}

/** An area with its VmFlags (two-letter codes, Documentation/filesystems/proc.rst) and locked size from smaps. */
export interface DetailedMemoryArea extends MemoryArea {
  flags: string[];
}

/** /proc/PID/smaps. Costs about 45 ms per GiB of 4 KiB pages: read it before a freeze, not inside. */
export function readDetailedMaps(pid: number): DetailedMemoryArea[] {
  const areas: DetailedMemoryArea[] = [];
  for (const line of (readProcessFile(pid, 'smaps') ?? '').split('\n')) {
    if (line.startsWith('VmFlags:')) {
      const last = areas.at(-1);
      if (last !== undefined) last.flags = line.slice(8).trim().split(/\s+/);
    } else if (/^[0-9a-f]/.test(line)) {
      for (const area of parseMaps(line)) areas.push({ ...area, flags: [] });
    }
  }
  return areas;
}

/** /proc/PID/stat, the fields that Korrigan uses, by their names in proc(5). */
export interface ProcessStat {
  pid: number;
  command: string;
  state: string;
  parent: number;
  group: number;
  session: number;
  terminal: number;
  terminalGroup: number;
  /** PF_* of include/linux/sched.h. */
  flags: number;
  userTicks: number;
  systemTicks: number;
  nice: number;
  threads: number;
  /** Clock ticks since boot, in the reader's time namespace. */
  startTime: number;
  virtualBytes: number;
  residentPages: number;
  startCode: number;
  endCode: number;
  startStack: number;
  /** Signal that the parent gets at the end. */
  exitSignal: number;
  realtimePriority: number;
  policy: number;
  startData: number;
  endData: number;
  startBreak: number;
  argumentStart: number;
  argumentEnd: number;
  environmentStart: number;
  environmentEnd: number;
  /** Wait status word of a zombie. */
  exitCode: number;
}

export function parseStat(text: string): ProcessStat {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  const fields = text
    .slice(close + 2)
    .trim()
    .split(' ');
  // fields[0] is field 3 of proc(5)
  const field = (n: number): number => Number(fields[n - 3] ?? 0);
  return {
    pid: Number(text.slice(0, open)),
    command: Buffer.from(text.slice(open + 1, close), 'latin1').toString('utf8'),
    state: fields[0] ?? '?',
    parent: field(4),
    group: field(5),
    session: field(6),
    terminal: field(7),
    terminalGroup: field(8),
    flags: field(9),
    userTicks: field(14),
    systemTicks: field(15),
    nice: field(19),
    threads: field(20),
    startTime: field(22),
    virtualBytes: field(23),
    residentPages: field(24),
    startCode: field(26),
    endCode: field(27),
    startStack: field(28),
    exitSignal: field(38),
    realtimePriority: field(40),
    policy: field(41),
    startData: field(45),
    endData: field(46),
    startBreak: field(47),
    argumentStart: field(48),
    argumentEnd: field(49),
    environmentStart: field(50),
    environmentEnd: field(51),
    exitCode: field(52),
  };
}

export function readStat(pid: number): ProcessStat | undefined {
  const text = readProcessFile(pid, 'stat');
  return text === undefined ? undefined : parseStat(text);
}

/** "Key:\tvalue" lines of /proc/PID/status. */
export class KeyValues {
  private readonly text: string;

  constructor(text: string) {
    this.text = `\n${text}`;
  }

  /** The value of the first line with this key, trimmed. Searched for: of some 60 lines few are ever asked for. */
  get(key: string): string | undefined {
    const at = this.text.indexOf(`\n${key}:`);
    if (at < 0) return undefined;
    const end = this.text.indexOf('\n', at + 1);
    return this.text.slice(at + key.length + 2, end < 0 ? this.text.length : end).trim();
  }
}

export function readStatus(pid: number, thread?: number): KeyValues | undefined {
  const text = readProcessFile(pid, thread === undefined ? 'status' : `task/${thread}/status`);
  return text === undefined ? undefined : new KeyValues(text);
}

/** The target of /proc/PID/NAME, a magic link such as exe, cwd or fd/3. */
export function readProcessLink(pid: number, name: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/${name}`);
  } catch {
    return undefined;
  }
}
