/**
 * Who else holds what the moving processes hold: a search through the descriptors of the processes that stay. The kernel keeps no
 * such list; /proc shows each descriptor's target, and kcmp tells whether it is the very same description.
 */
import { readdirSync, statSync } from 'node:fs';
import {
  AT_FDCWD,
  attempt,
  compareDescriptions,
  converse,
  type MemoryArea,
  onThisThread,
  readMaps,
  settled,
  SyscallError,
  type Conversation,
} from '../linux/index.ts';
import type { OpenFile } from './survey.ts';

/** A descriptor of a process that stays. */
export interface OutsideHolder {
  readonly hostPid: number;
  readonly fd: number;
}

/** For every file of the survey, by its id. */
export interface OutsideHolders {
  /** Descriptors that refer to the same description. */
  readonly description: readonly OutsideHolder[];
  /** Descriptors that show the same target: other descriptions of the same pipe, socket or file. Includes the former. */
  readonly target: readonly OutsideHolder[];
}

const NOBODY: OutsideHolders = { description: [], target: [] };

export class Outside {
  private readonly holders = new Map<number, { description: OutsideHolder[]; target: OutsideHolder[] }>();
  private readonly others: readonly number[];
  private deletedMappings: readonly DeletedMapping[] | undefined;

  /** @param others pids of the processes that stay, as this process sees them */
  constructor(files: readonly OpenFile[], others: readonly number[]) {
    this.others = others;
    const byLink = new Map<string, OpenFile[]>();
    for (const file of files) {
      const group = byLink.get(file.link);
      if (group === undefined) byLink.set(file.link, [file]);
      else group.push(file);
    }
    for (const { hostPid, fd, link } of listDescriptors(others)) {
      for (const file of byLink.get(link) ?? []) {
        if (!link.endsWith(' (deleted)') || isSameInode(file, { hostPid, fd })) this.note(file, { hostPid, fd });
      }
    }
  }

  of(file: OpenFile): OutsideHolders {
    return this.holders.get(file.id) ?? NOBODY;
  }

  /**
   * A process that stays and has mapped this file, which has no name, as this process sees it.
   * @param canWrite counts private mappings too: what is not theirs of it follows the file
   */
  whoMapped({ link, status }: OpenFile, canWrite: boolean): number | undefined {
    this.deletedMappings ??= listDeletedMappings(this.others);
    return this.deletedMappings.find(({ area }) => area.inode === status.inode && area.name === link && (area.shared || canWrite))?.hostPid;
  }

  private note(file: OpenFile, holder: OutsideHolder): void {
    let known = this.holders.get(file.id);
    if (known === undefined) this.holders.set(file.id, (known = { description: [], target: [] }));
    known.target.push(holder);
    if (file.holders.length > 0 && isSame(file, holder)) known.description.push(holder);
  }
}

function isSame(file: OpenFile, { hostPid, fd }: OutsideHolder): boolean {
  try {
    return compareDescriptions(process.pid, file.fd, hostPid, fd) === 0;
  } catch (error) {
    if (error instanceof SyscallError) return false; // closed or ended meanwhile
    throw error;
  }
}

/** Files without a name may have had the same one. */
function isSameInode(file: OpenFile, { hostPid, fd }: OutsideHolder): boolean {
  const status = statSync(`/proc/${hostPid}/fd/${fd}`, { throwIfNoEntry: false });
  return status !== undefined && status.ino === file.status.inode;
}

interface DeletedMapping {
  readonly hostPid: number;
  readonly area: MemoryArea;
}

function listDeletedMappings(pids: readonly number[]): DeletedMapping[] {
  return pids.flatMap((hostPid) =>
    readMaps(hostPid)
      .filter(({ name }) => name.endsWith(' (deleted)'))
      .map((area) => ({ hostPid, area })),
  );
}

const LINK_LIMIT = 256;

function listDescriptors(pids: readonly number[]): { hostPid: number; fd: number; link: string }[] {
  const all: { hostPid: number; fd: number }[] = [];
  for (const hostPid of pids) {
    for (const fd of listDirectory(`/proc/${hostPid}/fd`)) all.push({ hostPid, fd: Number(fd) });
  }
  const links = converse(onThisThread(), settled(all.map(({ hostPid, fd }) => readLink(`/proc/${hostPid}/fd/${fd}`))));
  return all.flatMap((entry, n) => {
    const link = links[n];
    return link !== undefined && 'value' in link && link.value !== undefined ? [{ ...entry, link: link.value }] : [];
  });
}

function listDirectory(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // the process has ended
  }
}

function* readLink(path: string): Conversation<string | undefined> {
  let link = new Uint8Array(LINK_LIMIT);
  let [length = 0] = yield [attempt('readlinkat', AT_FDCWD, path, link, link.length)];
  if (length === link.length) {
    link = new Uint8Array(4200);
    [length = 0] = yield [attempt('readlinkat', AT_FDCWD, path, link, link.length)];
  }
  return length < 0 ? undefined : Buffer.from(link.subarray(0, length)).toString();
}
