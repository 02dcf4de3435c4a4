/** Mapped files that have no name: opened through the mapping where they are captured, their contents read and written by offset. */
import { closeSync, openSync } from 'node:fs';
import { KorriganError, syscall } from '../linux/index.ts';
import { type Area, isNamelessMapping } from './areas.ts';
import type { PageReader } from './channel.ts';

/** A description of a mapped file, and the starts of the areas that map it with its rights. */
export interface MappedFile {
  readonly fd: number;
  readonly starts: readonly number[];
}

/**
 * Opens the files without a name that a process has mapped: for writing where the mapping may be written to. The caller closes them.
 * A running process may unmap one meanwhile, which is left out.
 * @throws KorriganError KRG_NOT_MOVABLE where the kernel opens none of this kind; nothing stays open then
 */
export function openNamelessFiles(pid: number, areas: readonly Area[]): MappedFile[] {
  const files = new Map<string, { fd: number; starts: number[] }>();
  try {
    for (const area of areas.filter(isNamelessMapping)) {
      const isWritable = area.kind === 'shared-nameless-file' && area.flags.includes('mw');
      const key = `${area.object} ${isWritable}`;
      const known = files.get(key);
      const fd = known === undefined ? openMapped(pid, area, isWritable) : undefined;
      if (fd !== undefined) files.set(key, { fd, starts: [area.start] });
      else known?.starts.push(area.start);
    }
  } catch (error) {
    for (const { fd } of files.values()) closeSync(fd);
    throw error;
  }
  return [...files.values()];
}

/** @returns undefined when it is no longer mapped */
function openMapped(pid: number, { start, end }: Area, isWritable: boolean): number | undefined {
  const range = `${start.toString(16)}-${end.toString(16)}`;
  try {
    return openSync(`/proc/${pid}/map_files/${range}`, isWritable ? 'r+' : 'r');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new KorriganError('KRG_NOT_MOVABLE', `the file without a name that is mapped at ${range} cannot be opened (${code})`, {
      cause: error,
    });
  }
}

/** Reads a file by offset, whatever the rights of the descriptor. */
export class FileContents implements Disposable {
  private readonly own: number;

  constructor(fd: number) {
    this.own = openSync(`/proc/self/fd/${fd}`, 'r');
  }

  readonly read: PageReader = (offset, native, length) => {
    for (let done = 0; done < length; ) {
      const count = syscall('pread64', this.own, native + done, length - done, offset + done);
      if (count === 0) throw new RangeError(`a file ended at ${offset + done} while its processes were frozen`);
      done += count;
    }
  };

  [Symbol.dispose](): void {
    closeSync(this.own);
  }
}

/** Writes all bytes. @throws SyscallError, e.g. ENOSPC */
export function writeContents(fd: number, offset: number, native: number, length: number): void {
  for (let done = 0; done < length; ) done += syscall('pwrite64', fd, native + done, length - done, offset + done);
}
