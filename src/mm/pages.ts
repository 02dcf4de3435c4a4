/**
 * Which pages of a stopped process carry content, and how they are read and written from outside.
 */
import { closeSync, openSync } from 'node:fs';
import { PAGE_IS, Pagemap, readMemoryInto, syscall, writeMemoryFrom, type PageRegion } from '../linux/index.ts';
import type { Area } from './areas.ts';
import type { PageReader } from './channel.ts';

const PROT_READ = 1;

/**
 * Runs of pages whose content must travel. Private file mappings: pages that are no longer the file's. Memory without a file: every page
 * that exists and is not the shared zero page. Shared file mappings and the vDSO: none.
 */
export function contentRuns(pagemap: Pagemap, area: Area): PageRegion[] {
  switch (area.kind) {
    case 'vdso':
    case 'shared-file':
    case 'shared-alias':
      return [];
    case 'private-file':
      return pagemap.scan(area.start, area.end, {
        all: PAGE_IS.file | PAGE_IS.zero,
        inverted: PAGE_IS.file | PAGE_IS.zero,
        any: PAGE_IS.present | PAGE_IS.swapped,
      });
    case 'anonymous':
    case 'shared-anonymous':
      return pagemap.scan(area.start, area.end, { all: PAGE_IS.zero, inverted: PAGE_IS.zero, any: PAGE_IS.present | PAGE_IS.swapped });
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
