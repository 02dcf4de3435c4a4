/**
 * Rebuilding an address space: programs that map every area, and, when the pages are in place, give each its final protection.
 */
import type { Program } from '../linux/index.ts';
import { type Area, isNamelessMapping } from './areas.ts';
import { MEMORY_POLICY_BYTES, restoreAreaPolicy } from './memory-policy.ts';
import { intersect, normalize, type Range, subtract } from './ranges.ts';

const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_FIXED_NOREPLACE = 0x100000;
const MAP_ANONYMOUS = 0x20;
const MAP_GROWSDOWN = 0x100;
const MAP_NORESERVE = 0x4000;
const O_RDONLY = 0;
const O_RDWR = 2;
const O_CLOEXEC = 0o2000000;
const AT_FDCWD = -100;
const ARCH_MAP_VDSO_64 = 0x2003;
const MADVICE: Readonly<Record<string, number>> = { dc: 10, dd: 16, wf: 18, mg: 12, hg: 14, nh: 15, sr: 2, rr: 1 };
const MADV_DONTNEED = 4;
const MLOCK_ONFAULT = 1;

/** Most records that mapping and finishing one area takes, for the size of a program. */
export const RECORDS_PER_AREA = 14;

/** True when the area's pages are sent, so that it must be writable while they arrive. */
function carriesPages(area: Area): boolean {
  return ['anonymous', 'shared-anonymous', 'private-file', 'private-nameless-file'].includes(area.kind);
}

/** Starts of the areas whose pages are sent. */
export function startsOfContent(areas: readonly Area[]): ReadonlySet<number> {
  return new Set(areas.filter(carriesPages).map((area) => area.start));
}

/** A record that opens a file for a mapping. */
export interface OpenedFile {
  readonly record: number;
  readonly path: string;
}

/**
 * Appends records that map every area at its place, ready to be filled, but for those of {@link mapNamelessFiles}. The working directory has to
 * be the root of the container: the process may have another root directory of its own.
 * @param filled starts of the areas that will receive pages
 * @param objects paths under which shared memory that another process of the move has mapped can be opened
 * @param ahead ranges that were mapped as writable private memory before and hold pages; kept where the areas have such memory, unmapped elsewhere
 * @param isMapped true for an area that is at its place already
 * @returns the records that open files, with their paths
 */
export function mapAreas(
  program: Program,
  areas: readonly Area[],
  filled: ReadonlySet<number>,
  ahead: readonly Range[] = [],
  objects: ReadonlyMap<string, string> = new Map(),
  isMapped: (area: Area) => boolean = () => false,
): OpenedFile[] {
  const opened: OpenedFile[] = [];
  const anonymous = normalize(areas.filter((area) => area.kind === 'anonymous'));
  for (const { start, end } of subtract(ahead, anonymous)) program.call('munmap', start, end - start);
  let vdsoMapped = false;
  const paths = new Map<string, number>();
  for (const area of areas) {
    if (isMapped(area) || isNamelessMapping(area)) continue;
    const length = area.end - area.start;
    if (area.kind === 'vdso') {
      // The kernel maps [vvar], [vvar_vclock] and [vdso] together, in this order, at the address of the first.
      if (!vdsoMapped) program.call('arch_prctl', ARCH_MAP_VDSO_64, area.start);
      vdsoMapped = true;
      continue;
    }
    const protection = area.protection | (filled.has(area.start) ? PROT_WRITE : 0);
    const flags = placementOf(area);
    const path = area.path ?? objectPath(area, objects);
    if (path === undefined) {
      const sharing = area.kind === 'shared-anonymous' ? MAP_SHARED : MAP_PRIVATE;
      const present = area.kind === 'anonymous' ? intersect([area], ahead) : [];
      for (const { start, end } of subtract([area], present)) {
        program.call('mmap', start, end - start, protection, flags | sharing | MAP_ANONYMOUS, -1, 0);
      }
      for (const { start, end } of present) program.call('mprotect', start, end - start, protection);
      continue;
    }
    const name = paths.get(path) ?? program.string(fromRoot(path));
    paths.set(path, name);
    const alias = area.kind === 'shared-alias';
    const shared = alias || area.kind === 'shared-file';
    const open = program.call(
      'openat',
      AT_FDCWD,
      name,
      (alias || (shared && area.flags.includes('mw')) ? O_RDWR : O_RDONLY) | O_CLOEXEC,
      0,
    );
    opened.push({ record: open, path });
    // Two result forwards precede the map and the close; their records are known by position.
    const map = open + 3;
    program.forwardResult(open, map, 4);
    program.forwardResult(open, map + 1, 0);
    program.call('mmap', area.start, length, protection, flags | (shared ? MAP_SHARED : MAP_PRIVATE), 0, area.offset);
    program.call('close', 0);
  }
  return opened;
}

/** A path of the container, seen from its root. */
export const fromRoot = (path: string): string => path.replace(/^\//, '');

/** Flags of mmap(2) but for MAP_SHARED and MAP_PRIVATE. */
function placementOf({ flags }: Area): number {
  return MAP_FIXED_NOREPLACE | (flags.includes('gd') ? MAP_GROWSDOWN : 0) | (flags.includes('nr') ? MAP_NORESERVE : 0);
}

/**
 * Appends records that map the areas of files without a name.
 * @param descriptors of the process, by the start of the area
 */
export function mapNamelessFiles(program: Program, areas: readonly Area[], descriptors: ReadonlyMap<number, number>): void {
  for (const area of areas.filter(isNamelessMapping)) {
    const descriptor = descriptors.get(area.start);
    if (descriptor === undefined) throw new RangeError(`no file was sent for the memory at ${area.start.toString(16)}`);
    const isPrivate = area.kind === 'private-nameless-file';
    const protection = area.protection | (isPrivate ? PROT_WRITE : 0);
    const flags = placementOf(area) | (isPrivate ? MAP_PRIVATE : MAP_SHARED);
    program.call('mmap', area.start, area.end - area.start, protection, flags, descriptor, area.offset);
  }
}

/** Appends records that give every area its final protection and advice; pages must be in place. */
export function finishLayout(program: Program, areas: readonly Area[], filled: ReadonlySet<number>): void {
  for (const area of areas) {
    const length = area.end - area.start;
    if (filled.has(area.start) && (area.protection & PROT_WRITE) === 0) program.call('mprotect', area.start, length, area.protection);
    for (const flag of area.flags) {
      const advice = MADVICE[flag];
      if (advice !== undefined) program.tryCall('madvise', area.start, length, advice);
    }
    if (area.flags.includes('lo')) program.tryCall('mlock2', area.start, length, area.flags.includes('lf') ? MLOCK_ONFAULT : 0);
    restoreAreaPolicy(program, area);
    if (area.flags.includes('sl')) program.call('mseal', area.start, length, 0);
  }
}

function objectPath(area: Area, objects: ReadonlyMap<string, string>): string | undefined {
  if (area.kind !== 'shared-alias') return undefined;
  const path = objects.get(area.object ?? '');
  if (path === undefined) throw new RangeError(`shared memory ${area.object} is used before it was made`);
  return path;
}

/** Appends records that make ranges read as zero again. */
export function discardPages(program: Program, ranges: readonly Range[]): void {
  for (const { start, end } of ranges) program.call('madvise', start, end - start, MADV_DONTNEED);
}

/** /proc/PID/map_files/START-END with the largest numbers. */
const LONGEST_OBJECT_PATH = '/proc/4194304/map_files/ffffffffffff-ffffffffffff';

/** Bytes of program data that finishing the areas takes. */
export function finishBytes(areas: readonly Area[]): number {
  return areas.filter(({ policy }) => policy !== undefined).length * MEMORY_POLICY_BYTES;
}

/** Bytes of program data that the paths of the areas take. */
export function pathBytes(areas: readonly Area[]): number {
  let bytes = 0;
  for (const path of areas.map((area) => area.path)) bytes += Buffer.byteLength(path ?? LONGEST_OBJECT_PATH) + 1;
  return bytes;
}
