/**
 * PAGEMAP_SCAN (Linux 6.7, Documentation/admin-guide/mm/pagemap.rst): which pages of a process exist, are zero, come from a file, or were
 * written since they were last write-protected. One ioctl walks a range of any size.
 */
import { closeSync, openSync } from 'node:fs';
import { NativeMemory, syscall } from './native.ts';

const PAGEMAP_SCAN = 0xc0606610;
const ARGUMENT_SIZE = 96;
const REGION_SIZE = 24;
const REGIONS_PER_CALL = 8192;

/** Page categories (include/uapi/linux/fs.h, PAGE_IS_*). */
export const PAGE_IS = { writeTracked: 1, written: 2, file: 4, present: 8, swapped: 16, zero: 32, huge: 64, guard: 256 } as const;

const WRITE_PROTECT_MATCHING = 1;

/** A run of pages with the same categories, as far as they were asked for. */
export interface PageRegion {
  start: number;
  end: number;
  categories: number;
}

export interface PageQuery {
  /** Categories that a page must have all of (after `inverted` is applied). */
  all?: number;
  /** Categories of which a page must have at least one. */
  any?: number;
  /** Categories whose meaning is inverted in `all`. */
  inverted?: number;
  /** Categories to report. */
  report?: number;
  /**
   * Atomically write-protects the pages found. Memory that is not registered for write-protect-async is skipped: to be told of it
   * by an error (PM_SCAN_CHECK_WPASYNC) would protect the pages before it without naming them.
   */
  writeProtect?: boolean;
}

let buffer: NativeMemory | undefined;

/** An open pagemap of one process. */
export class Pagemap implements Disposable {
  readonly pid: number;
  private readonly fd: number;

  constructor(pid: number) {
    this.pid = pid;
    this.fd = openSync(`/proc/${pid}/pagemap`, 'r+');
  }

  /** The regions of [start, end) that match, in order; neighbours with the same categories are one region. */
  scan(start: number, end: number, query: PageQuery): PageRegion[] {
    buffer ??= NativeMemory.allocate(ARGUMENT_SIZE + REGIONS_PER_CALL * REGION_SIZE);
    const { view, address } = buffer;
    const found: PageRegion[] = [];
    const put = (index: number, value: number): void => view.setBigUint64(index * 8, BigInt(value), true);
    for (let from = start; from < end; ) {
      put(0, ARGUMENT_SIZE);
      put(1, query.writeProtect === true ? WRITE_PROTECT_MATCHING : 0);
      put(2, from);
      put(3, end);
      put(4, 0);
      put(5, address + ARGUMENT_SIZE);
      put(6, REGIONS_PER_CALL);
      put(7, 0);
      put(8, query.inverted ?? 0);
      put(9, query.all ?? 0);
      put(10, query.any ?? 0);
      put(11, query.report ?? 0);
      const count = syscall('ioctl', this.fd, PAGEMAP_SCAN, address);
      for (let n = 0; n < count; n++) {
        const at = ARGUMENT_SIZE + n * REGION_SIZE;
        const region = {
          start: Number(view.getBigUint64(at, true)),
          end: Number(view.getBigUint64(at + 8, true)),
          categories: Number(view.getBigUint64(at + 16, true)),
        };
        const last = found.at(-1);
        if (last !== undefined && last.end === region.start && last.categories === region.categories) last.end = region.end;
        else found.push(region);
      }
      // The walk is complete when the vector did not fill; walk_end stays at an early stop even then.
      if (count < REGIONS_PER_CALL) break;
      from = Number(view.getBigUint64(32, true));
    }
    return found;
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}
