/**
 * Which pages of a stopped process carry content, and how they are read and written from outside.
 */
import { closeSync, openSync } from 'node:fs';
import { PAGE_IS, type Pagemap, readMemoryInto, syscall, trySyscall, writeMemoryFrom, type PageRegion } from '../linux/index.ts';
import type { Area } from './areas.ts';
import type { PageReader } from './channel.ts';

const PROT_READ = 1;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/**
 * Runs of pages whose content must travel. Private file mappings: pages that are no longer the file's. Memory without a file: every page
 * that exists and is not the shared zero page. Shared file mappings and the vDSO: none.
 */
export function contentRuns(pagemap: Pagemap, area: Area): PageRegion[] {
  switch (area.kind) {
    case 'vdso':
    case 'shared-file':
    case 'shared-nameless-file':
    case 'shared-alias':
      return [];
    case 'private-file':
    case 'private-nameless-file':
      return pagemap.scan(area.start, area.end, {
        all: PAGE_IS.file | PAGE_IS.zero,
        inverted: PAGE_IS.file | PAGE_IS.zero,
        any: PAGE_IS.present | PAGE_IS.swapped,
      });
    case 'shared-anonymous':
      return sharedRuns(pagemap.pid, area);
    case 'anonymous':
      return pagemap.scan(area.start, area.end, { all: PAGE_IS.zero, inverted: PAGE_IS.zero, any: PAGE_IS.present | PAGE_IS.swapped });
  }
}

/** Runs with data of shared memory without a file. Pages that only another process has touched are not in this one's page tables. */
function sharedRuns(pid: number, area: Area): PageRegion[] {
  const file = openSync(`/proc/${pid}/map_files/${area.start.toString(16)}-${area.end.toString(16)}`, 'r');
  try {
    const runs: PageRegion[] = [];
    const end = area.offset + area.end - area.start;
    for (let at = area.offset; at < end; ) {
      const data = trySyscall('lseek', file, at, SEEK_DATA);
      if (data < 0 || data >= end) break; // ENXIO: no data from here on
      const hole = Math.min(end, syscall('lseek', file, data, SEEK_HOLE));
      runs.push({ start: area.start + data - area.offset, end: area.start + hole - area.offset, categories: 0 });
      at = hole;
    }
    return runs;
  } finally {
    closeSync(file);
  }
}

/** Reads pages of one process: process_vm_readv where the area allows it, /proc/PID/mem (which ignores protection) elsewhere. */
export class ProcessPages implements Disposable {
  private readonly pid: number;
  private memory: number | undefined;

  constructor(pid: number) {
    this.pid = pid;
  }

  reader(area: Area): PageReader {
    return (area.protection & PROT_READ) !== 0 ? this.readDirectly : this.readForced;
  }

  [Symbol.dispose](): void {
    if (this.memory !== undefined) closeSync(this.memory);
  }

  private readonly readDirectly: PageReader = (address, native, length) => {
    for (let done = 0; done < length; ) done += readMemoryInto(this.pid, address + done, native + done, length - done);
  };

  private readonly readForced: PageReader = (address, native, length) => {
    this.memory ??= openSync(`/proc/${this.pid}/mem`, 'r');
    for (let done = 0; done < length; ) done += syscall('pread64', this.memory, native + done, length - done, address + done);
  };
}

/** Writes into a process that is being restored; its areas with content are writable until {@link finishLayout}. */
export function writePages(pid: number, address: number, native: number, length: number): void {
  for (let done = 0; done < length; ) done += writeMemoryFrom(pid, address + done, native + done, length - done);
}
