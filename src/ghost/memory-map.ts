/** What the kernel keeps about an address space beside its areas: struct prctl_mm_map of man 2 prctl. */
import type { Program } from '../linux/index.ts';
import { fromRoot } from '../mm/index.ts';
import { MEMORY_MAP_FIELDS, type ProcessImage } from './image.ts';

const PR_SET_MM = 35;
const PR_SET_MM_MAP = 14;
const AT_FDCWD = -100;
const O_PATHLESS_READ = 0o2000000; // O_RDONLY | O_CLOEXEC
const NO_FILE = -1;

/**
 * Appends records that set it. The working directory is the root of the container.
 * @param hasExecutable the kernel knows the executable already, and it may not be replaced
 */
export function setMemoryMap(program: Program, image: ProcessImage, hasExecutable: boolean): void {
  const map = new Uint8Array(104);
  const view = new DataView(map.buffer);
  MEMORY_MAP_FIELDS.forEach((field, n) => view.setBigUint64(8 * n, BigInt(image.memoryMap[field]), true));
  view.setBigUint64(88, BigInt(program.data(image.auxiliaryVector)), true);
  view.setUint32(96, image.auxiliaryVector.length, true);
  view.setInt32(100, NO_FILE, true);
  const address = program.data(map);
  if (hasExecutable) {
    program.call('prctl', PR_SET_MM, PR_SET_MM_MAP, address, map.length, 0);
    return;
  }
  const open = program.call('openat', AT_FDCWD, program.string(fromRoot(image.executable)), O_PATHLESS_READ, 0);
  program.operation('copy', address + 100, program.addressOfResult(open), 4);
  program.forwardResult(open, open + 4, 0);
  program.call('prctl', PR_SET_MM, PR_SET_MM_MAP, address, map.length, 0);
  program.call('close', 0);
}
