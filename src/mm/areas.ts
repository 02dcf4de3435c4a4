/**
 * Memory areas of a process: what each is, and whether it can be rebuilt elsewhere.
 */
import { KorriganError, parseMaps, readDetailedMaps, readProcessFile, type DetailedMemoryArea } from '../linux/index.ts';
import type { MemoryPolicy } from './memory-policy.ts';
import type { Range } from './ranges.ts';

/** How an area is rebuilt. */
export type AreaKind =
  /** Private memory without a file. */
  | 'anonymous'
  /** Shared memory without a file; its content travels with this area. */
  | 'shared-anonymous'
  /** A further mapping of shared memory without a file that another area of the same move brings. */
  | 'shared-alias'
  /** Private mapping of a file: pages that were written belong to the process. */
  | 'private-file'
  /** Shared mapping of a file: all content is the file's. */
  | 'shared-file'
  /** The same of a file that has no name, or none any more: it travels with the open files, and is mapped when they are there. */
  | 'private-nameless-file'
  | 'shared-nameless-file'
  /** [vvar], [vvar_vclock] and [vdso]: mapped by the kernel on request. */
  | 'vdso';

/** A memory area as it travels. */
export interface Area {
  start: number;
  end: number;
  kind: AreaKind;
  /** PROT_* bits. */
  protection: number;
  /** File of a file mapping, as seen in the container; files without a name have none. */
  path?: string;
  /** Which shared memory without a file, or which file without a name, by device and inode on the source. */
  object?: string;
  /** Offset in the file or object, bytes. */
  offset: number;
  /** VmFlags codes that matter to the program. */
  flags: string[];
  /** NUMA policy, where it has one of its own. */
  policy?: MemoryPolicy;
}

/** VmFlags that are carried (Documentation/filesystems/proc.rst): growsdown, locked, noreserve, sealed, and madvise states. */
const CARRIED_FLAGS = new Set(['gd', 'lo', 'lf', 'nr', 'dc', 'dd', 'wf', 'mg', 'hg', 'nh', 'sr', 'rr', 'mw', 'sl']);
/** sched-independent names of the kernel's own areas. */
const VDSO_NAMES = new Set(['[vvar]', '[vvar_vclock]', '[vdso]']);

/** Why an area cannot move, or undefined. */
export function judgeArea(area: DetailedMemoryArea): string | undefined {
  if (VDSO_NAMES.has(area.name) || area.name === '[vsyscall]') return undefined;
  if (area.flags.includes('sl')) return 'memory sealed with mseal(2), which nobody can unmap here after the move,';
  if (area.flags.includes('ht')) return 'huge pages of hugetlbfs';
  if (area.flags.includes('io') || area.flags.includes('pf')) return `memory of a device (${area.name})`;
  if (area.name.startsWith('/SYSV')) return 'a System V shared memory segment';
  if (area.name.startsWith('anon_inode:')) return `a mapping of ${area.name}`;
  if (UNREADABLE_NAMES.has(area.name)) return `a mapping of ${area.name.slice(0, -DELETED.length)}, which only the kernel can make,`;
  if (isNameless(area)) return undefined; // what it maps is judged among the open files
  if (area.name.startsWith('/dev/zero')) return undefined;
  if (area.name.startsWith('/dev/shm/')) return `a mapping of ${area.name}, which each node has for itself,`;
  if (area.name === '[uprobes]') return 'uprobes of a tracer';
  return undefined;
}

const DELETED = ' (deleted)';
/** Memory of memfd_secret(2) and of io_setup(2). */
const UNREADABLE_NAMES = new Set([`/secretmem${DELETED}`, `/[aio]${DELETED}`]);
/** Shared memory without a file (mm/shmem.c, shmem_zero_setup). */
const SHARED_ANONYMOUS_NAME = `/dev/zero${DELETED}`;

/** A mapping of a memfd, or of a file whose name is gone. */
function isNameless({ inode, name }: DetailedMemoryArea): boolean {
  return inode !== 0 && name.endsWith(DELETED) && name !== SHARED_ANONYMOUS_NAME;
}

/** Mappings of files that have no name. */
export const isNamelessMapping = ({ kind }: Area): boolean => kind === 'private-nameless-file' || kind === 'shared-nameless-file';

function kindOf(area: DetailedMemoryArea): AreaKind {
  if (VDSO_NAMES.has(area.name)) return 'vdso';
  if (isNameless(area)) return area.shared ? 'shared-nameless-file' : 'private-nameless-file';
  if (area.inode !== 0 && !area.name.startsWith('/dev/zero')) return area.shared ? 'shared-file' : 'private-file';
  return area.shared ? 'shared-anonymous' : 'anonymous';
}

function describe(area: DetailedMemoryArea): Area {
  const kind = kindOf(area);
  return {
    start: area.start,
    end: area.end,
    kind,
    protection: area.protection,
    ...(kind === 'private-file' || kind === 'shared-file' ? { path: area.name } : {}),
    ...(kind === 'shared-anonymous' || isNameless(area) ? { object: `${area.device}:${area.inode}` } : {}),
    offset: area.offset,
    flags: area.flags.filter((flag) => CARRIED_FLAGS.has(flag)),
  };
}

/** Addresses as /proc/PID/maps shows them. */
const shown = (address: number): string => address.toString(16).padStart(8, '0');

/** The areas of a process, as they were known before the freeze: VmFlags cost 45 ms per GiB, and parsing costs more than comparing. */
export class AreaFlags {
  private readonly flags: ReadonlyMap<string, string[]>;
  private readonly hasPolicies: boolean;
  private text: string | undefined;
  private isNew = false;
  private isKept = false;
  private areas: Area[] = [];

  /**
   * @param areas as they are before the freeze
   * @param hasPolicies false when none of them has a NUMA policy of its own
   */
  constructor(areas: readonly DetailedMemoryArea[], hasPolicies = true) {
    this.hasPolicies = hasPolicies;
    this.flags = new Map(areas.map((area) => [AreaFlags.key(area), area.flags]));
  }

  /**
   * All areas that travel now; the same array as the last time while nothing has changed. Flags are from before where the area did not
   * change; they are read anew when one is unknown.
   * @param own ranges of our own making, which do not count
   */
  describe(pid: number, own: readonly Range[] = []): readonly Area[] {
    if (this.isKept) return this.areas;
    const text = withoutLines(readProcessFile(pid, 'maps') ?? '', own);
    this.isNew = text !== this.text;
    if (this.isNew || this.hasPolicies) {
      this.areas = describeAreas(this.withFlags(pid, text, own), own);
      this.text = text;
    }
    return this.areas;
  }

  /** The process stands still and nobody will change its memory: what was described last is not looked at again. */
  keep(): void {
    this.isKept = true;
  }

  /** Before the freeze. */
  static read(pid: number): AreaFlags {
    const policies = readProcessFile(pid, 'numa_maps') ?? ''; // a kernel without NUMA has none
    return new AreaFlags(readDetailedMaps(pid), /^[0-9a-f]+ (?!default\b)/m.test(policies));
  }

  /** Whether areas that were just described may have NUMA policies: that an area is the same as before does not tell. */
  get mayHavePolicies(): boolean {
    return this.hasPolicies || this.isNew;
  }

  private withFlags(pid: number, text: string, own: readonly Range[]): DetailedMemoryArea[] {
    const areas: DetailedMemoryArea[] = [];
    for (const area of parseMaps(text)) {
      const flags = this.flags.get(AreaFlags.key(area));
      if (flags === undefined && own.some((range) => area.start >= range.start && area.end <= range.end)) continue;
      if (flags === undefined && area.name !== '[vsyscall]') return readDetailedMaps(pid);
      areas.push({ ...area, flags: flags ?? [] });
    }
    return areas;
  }

  private static key(area: { start: number; end: number; protection: number; name: string }): string {
    return `${area.start}-${area.end}-${area.protection}-${area.name}`;
  }
}

/** The text of a maps file without the lines of these areas, as far as there are such lines. */
function withoutLines(text: string, areas: readonly Range[]): string {
  let rest = text;
  for (const { start, end } of areas) {
    const line = `${shown(start)}-${shown(end)} `;
    const at = rest.startsWith(line) ? 0 : rest.indexOf(`\n${line}`) + 1;
    if (at === 0 && !rest.startsWith(line)) continue;
    rest = rest.slice(0, at) + rest.slice(rest.indexOf('\n', at) + 1);
  }
  return rest;
}

/**
 * Processes of one move may share memory without a file: its content travels once, with the first area in the order of the move.
 * @param known areas that bring objects, by object; those found here are added
 * @throws KorriganError KRG_NOT_MOVABLE when a later area reaches beyond what the first one shows of the object
 */
export function resolveAliases(areas: readonly Area[], known: Map<string, Area>): readonly Area[] {
  if (!areas.some(({ kind }) => kind === 'shared-anonymous')) return areas;
  return areas.map((area) => {
    if (area.kind !== 'shared-anonymous' || area.object === undefined) return area;
    const first = known.get(area.object);
    if (first === undefined) {
      known.set(area.object, area);
      return area;
    }
    const last = (one: Area): number => one.offset + one.end - one.start;
    if (area.offset < first.offset || last(area) > last(first)) {
      throw new KorriganError('KRG_NOT_MOVABLE', 'two processes map different parts of the same shared memory; that cannot move yet');
    }
    return { ...area, kind: 'shared-alias' };
  });
}

/**
 * The areas of a process that travel: all but the kernel's fixed [vsyscall] page and the ranges we made ourselves.
 * @param own ranges of our own making, e.g. the region of a {@link RemoteProcess}
 */
export function describeAreas(areas: readonly DetailedMemoryArea[], own: readonly Range[]): Area[] {
  return areas
    .filter((area) => area.name !== '[vsyscall]' && !own.some((range) => area.start >= range.start && area.end <= range.end))
    .map(describe);
}

/** Whether an area that was mapped ahead is what it has to be. */
export function isSameArea(one: Area, other: Area | undefined): boolean {
  if (one === other) return true;
  if (one.policy !== undefined) return false;
  if (other === undefined || one.end !== other.end || one.kind !== other.kind || one.protection !== other.protection) return false;
  return one.path === other.path && one.offset === other.offset && one.flags.join() === other.flags.join();
}
