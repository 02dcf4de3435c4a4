/**
 * Memory areas of a process: what each is, and whether it can be rebuilt elsewhere.
 */
import { KorriganError, readDetailedMaps, readMaps, type DetailedMemoryArea } from '../linux/index.ts';
import type { MemoryPolicy } from './memory-policy.ts';

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
  /** [vvar], [vvar_vclock] and [vdso]: mapped by the kernel on request. */
  | 'vdso';

/** A memory area as it travels. */
export interface Area {
  start: number;
  end: number;
  kind: AreaKind;
  /** PROT_* bits. */
  protection: number;
  /** File of a file mapping, as seen in the container. */
  path?: string;
  /** Which shared memory without a file, by device and inode on the source. */
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
  if (area.name.startsWith('/memfd:')) return `a mapped memfd (${area.name})`;
  if (area.name.startsWith('/dev/zero')) return undefined;
  if (area.name.startsWith('anon_inode:')) return `a mapping of ${area.name}`;
  if (area.name.startsWith('/') && area.name.endsWith(' (deleted)')) return `a mapping of the deleted file ${area.name.slice(0, -10)}`;
  if (area.name === '[uprobes]') return 'uprobes of a tracer';
  return undefined;
}

function kindOf(area: DetailedMemoryArea): AreaKind {
  if (VDSO_NAMES.has(area.name)) return 'vdso';
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
    ...(kind.endsWith('-file') ? { path: area.name } : {}),
    ...(kind === 'shared-anonymous' ? { object: `${area.device}:${area.inode}` } : {}),
    offset: area.offset,
    flags: area.flags.filter((flag) => CARRIED_FLAGS.has(flag)),
  };
}

/** VmFlags by area, from before the freeze: reading them costs 45 ms per GiB. */
export class AreaFlags {
  private readonly known: ReadonlyMap<string, string[]>;

  constructor(areas: readonly DetailedMemoryArea[]) {
    this.known = new Map(areas.map((area) => [AreaFlags.key(area), area.flags]));
  }

  /**
   * All areas now but those of our own making, with flags from before where the area did not change; read anew when one is unknown.
   * @param own ranges of our own making, which may be new
   */
  current(pid: number, own: readonly { start: number; end: number }[] = []): DetailedMemoryArea[] {
    const areas: DetailedMemoryArea[] = [];
    for (const area of readMaps(pid)) {
      const flags = this.known.get(AreaFlags.key(area));
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

/**
 * Processes of one move may share memory without a file: its content travels once, with the first area in the order of the move.
 * @param known areas that bring objects, by object; those found here are added
 * @throws KorriganError KRG_NOT_MOVABLE when a later area reaches beyond what the first one shows of the object
 */
export function resolveAliases(areas: readonly Area[], known: Map<string, Area>): Area[] {
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
export function describeAreas(areas: readonly DetailedMemoryArea[], own: readonly { start: number; end: number }[]): Area[] {
  return areas
    .filter((area) => area.name !== '[vsyscall]' && !own.some((range) => area.start >= range.start && area.end <= range.end))
    .map(describe);
}
