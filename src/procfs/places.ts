/**
 * The files of the cluster's /proc and their node ids. An id says by itself which file it is: a daemon that takes over from another one knows nothing of
 * what the kernel has looked up. Pure.
 *
 * | bits | what |
 * |---|---|
 * | 56 to 63 | kind |
 * | 34 to 55 | pid, or node |
 * | 12 to 33 | thread; 0 for the process itself |
 * | 0 to 11 | entry of the process or file of the node |
 *
 * Descriptors of a process take 34 bits, of a thread 12. Links of the root are named by a digest of their name.
 */
import { FUSE_ROOT_ID } from '../linux/index.ts';
import { PROCESS_ENTRIES, numberOfEntry } from './entries.ts';

/** Files that tell of a node, or of all of them; those with a slash stand in a directory of the root. */
export const NODE_FILES = [
  'cpuinfo',
  'meminfo',
  'stat',
  'loadavg',
  'uptime',
  'vmstat',
  'pressure/cpu',
  'pressure/io',
  'pressure/memory',
  'nodeid',
  'session',
] as const;
export type NodeFile = (typeof NODE_FILES)[number];
/** What each directory of /proc/nodes holds, in the order in which it is shown. */
const FILES_OF_NODE: readonly NodeFile[] = ['nodeid', 'session', 'cpuinfo', 'meminfo', 'loadavg', 'uptime', 'stat'];
/** In the root. */
const CLUSTER_FILES: readonly NodeFile[] = ['cpuinfo', 'meminfo', 'stat', 'loadavg', 'uptime', 'vmstat'];
const PRESSURE_FILES: readonly NodeFile[] = ['pressure/cpu', 'pressure/io', 'pressure/memory'];
/** The name, in the root, under which the node's own procfs is mounted. */
export const REAL = '.real';

/** A file of another node's process. */
export interface ProcessPlace {
  readonly kind: 'process';
  readonly pid: number;
  /** Id of a thread, for what stands below task/; 0 for the process itself. */
  readonly thread: number;
  /** One of {@link PROCESS_ENTRIES}, or `fd/N`, `fdinfo/N`; '' is the directory itself. */
  readonly entry: string;
}

/** Node 0 is the cluster. */
export type Place =
  | { readonly kind: 'root' | 'real' | 'pressure' | 'nodes' | 'node-count' | 'own-node' }
  | { readonly kind: 'link'; readonly digest: bigint }
  | { readonly kind: 'local'; readonly pid: number }
  | { readonly kind: 'node'; readonly node: number }
  | { readonly kind: 'node-file'; readonly node: number; readonly file: NodeFile; readonly isInRoot: boolean }
  | ProcessPlace;

const FIXED = ['root', 'real', 'pressure', 'nodes', 'node-count', 'own-node'] as const;
const KIND = { fixed: 0n, link: 1n, local: 2n, node: 3n, nodeFile: 4n, clusterFile: 5n, process: 6n } as const;
/** Kinds of descriptors: of a process, and of a thread. */
const DESCRIPTOR_KINDS = { fd: [7n, 9n], fdinfo: [8n, 10n] } as const;
const LARGEST_DESCRIPTOR_OF_THREAD = 0xfff;

const compose = (kind: bigint, pid: number, thread: number, last: number): bigint =>
  (kind << 56n) | (BigInt(pid) << 34n) | (BigInt(thread) << 12n) | BigInt(last);

/** @returns undefined for what has no id: descriptors of a thread above 4095 */
export function idOf(place: Place): bigint | undefined {
  switch (place.kind) {
    case 'link':
      return (KIND.link << 56n) | place.digest;
    case 'local':
      return compose(KIND.local, place.pid, 0, 0);
    case 'node':
      return compose(KIND.node, place.node, 0, 0);
    case 'node-file':
      return compose(place.isInRoot ? KIND.clusterFile : KIND.nodeFile, place.node, 0, NODE_FILES.indexOf(place.file));
    case 'process':
      return idOfProcess(place);
    default:
      return FUSE_ROOT_ID + BigInt(FIXED.indexOf(place.kind));
  }
}

function idOfProcess({ pid, thread, entry }: ProcessPlace): bigint | undefined {
  const number = numberOfEntry(entry);
  if (number !== undefined) return compose(KIND.process, pid, thread, number);
  const [, directory, text] = /^(fd|fdinfo)\/(\d{1,9})$/.exec(entry) ?? [];
  if (directory === undefined) return undefined;
  const [ofProcess, ofThread] = DESCRIPTOR_KINDS[directory as keyof typeof DESCRIPTOR_KINDS];
  const descriptor = Number(text);
  if (thread === 0) return compose(ofProcess, pid, Math.floor(descriptor / 4096), descriptor % 4096);
  return descriptor > LARGEST_DESCRIPTOR_OF_THREAD ? undefined : compose(ofThread, pid, thread, descriptor);
}

export function placeOf(id: bigint): Place | undefined {
  const kind = id >> 56n;
  const pid = Number((id >> 34n) & 0x3fffffn);
  const thread = Number((id >> 12n) & 0x3fffffn);
  const last = Number(id & 0xfffn);
  switch (kind) {
    case KIND.fixed: {
      const fixed = FIXED[Number(id - FUSE_ROOT_ID)];
      return fixed === undefined ? undefined : { kind: fixed };
    }
    case KIND.link:
      return { kind: 'link', digest: id & ((1n << 56n) - 1n) };
    case KIND.local:
      return { kind: 'local', pid };
    case KIND.node:
      return { kind: 'node', node: pid };
    case KIND.nodeFile:
    case KIND.clusterFile: {
      const file = NODE_FILES[last];
      return file === undefined ? undefined : { kind: 'node-file', node: pid, file, isInRoot: kind === KIND.clusterFile };
    }
    case KIND.process: {
      const entry = PROCESS_ENTRIES[last];
      return entry === undefined ? undefined : { kind: 'process', pid, thread, entry };
    }
    default:
      for (const [directory, [ofProcess, ofThread]] of Object.entries(DESCRIPTOR_KINDS)) {
        if (kind === ofProcess) return { kind: 'process', pid, thread: 0, entry: `${directory}/${thread * 4096 + last}` };
        if (kind === ofThread) return { kind: 'process', pid, thread, entry: `${directory}/${last}` };
      }
      return undefined;
  }
}

/** The path of a place of a process, from the procfs of its node. */
export function pathOf({ pid, thread, entry }: Omit<ProcessPlace, 'kind'>): string {
  const folder = thread === 0 ? String(pid) : `${pid}/task/${thread}`;
  return entry === '' ? folder : `${folder}/${entry}`;
}

const NUMBER = /^[1-9]\d{0,6}$/;
/** Largest pid of Linux. */
const LARGEST_PID = 4_194_304;

/** A name as a pid, or undefined. */
export function pidOf(name: string): number | undefined {
  const pid = NUMBER.test(name) ? Number(name) : undefined;
  return pid !== undefined && pid <= LARGEST_PID ? pid : undefined;
}

/** What a name means in a directory of a process; whether it is there is for its node to say. */
export function childOfProcess(parent: ProcessPlace, name: string): ProcessPlace | undefined {
  const { pid, thread, entry } = parent;
  if (entry === 'task') {
    const child = pidOf(name);
    return thread !== 0 || child === undefined ? undefined : { kind: 'process', pid, thread: child, entry: '' };
  }
  if (entry === 'fd' || entry === 'fdinfo') {
    return /^(0|[1-9]\d{0,8})$/.test(name) ? { kind: 'process', pid, thread, entry: `${entry}/${name}` } : undefined;
  }
  const below = entry === '' ? name : `${entry}/${name}`;
  const isDirect = entry === '' ? !name.includes('/') : entry === 'ns' || entry === 'attr';
  return isDirect && below !== '' && numberOfEntry(below) !== undefined ? { kind: 'process', pid, thread, entry: below } : undefined;
}

/** The files that a place of its own shows: name, and what it is. */
export function filesIn(place: Place): { readonly name: string; readonly place: Place }[] {
  const files = (node: number, list: readonly NodeFile[], isInRoot: boolean): { name: string; place: Place }[] =>
    list.map((file) => ({ name: file.slice(file.indexOf('/') + 1), place: { kind: 'node-file', node, file, isInRoot } }));
  switch (place.kind) {
    case 'root':
      return [
        ...files(0, CLUSTER_FILES, true),
        { name: 'pressure', place: { kind: 'pressure' } },
        { name: 'nodes', place: { kind: 'nodes' } },
      ];
    case 'pressure':
      return files(0, PRESSURE_FILES, true);
    case 'nodes':
      return [
        { name: 'nrnodes', place: { kind: 'node-count' } },
        { name: 'self', place: { kind: 'own-node' } },
        { name: 'cluster', place: { kind: 'node', node: 0 } },
      ];
    case 'node':
      return files(place.node, FILES_OF_NODE, false);
    default:
      return [];
  }
}
