/** Examines and captures the open files of processes, kind by kind. */
import { readFileSync } from 'node:fs';
import {
  converse,
  DescriptorInfo,
  KorriganError,
  onThisThread,
  readStatus,
  settled,
  type Conversation,
  type FileLock,
  type Outcome as Settled,
} from '../linux/index.ts';
import type { Descriptor, FileIdentity, FilesImage, OpenDescription, ProcessFiles, SharedObject, SignalOwner } from './image.ts';
import type { CaptureContext, ContainerClocks, Kind } from './kind.ts';
import { giveUpLock, LockTable, takeLock } from './locks.ts';
import { Outside } from './outside.ts';
import { findSharedTables, Survey, type DescriptorTable, type MovingProcess, type OpenFile } from './survey.ts';
import { Refusal, type Verdict } from './verdict.ts';

export interface CaptureOptions {
  readonly processes: readonly MovingProcess[];
  /** Kinds of files, the most particular ones first. */
  readonly kinds: readonly Kind[];
  /** Container's pid 1, as this process sees it. */
  readonly initHostPid: number;
  /** Processes of the container that stay, pid 1 included, as this process sees them. */
  readonly others: readonly number[];
  readonly clocks: ContainerClocks;
  /** Pids inside the container that the target will have as husks. */
  readonly relatives: ReadonlySet<number>;
  /** Descriptors of this process for files that are mapped but not open, e.g. of /proc/PID/map_files; taken over. */
  readonly mapped?: readonly number[];
}

/** Open files of frozen processes. Holds duplicates of all descriptions until it is closed. */
export interface Capture {
  readonly image: FilesImage;
  /** Description of each of `mapped`, in its order. */
  readonly mapped: readonly number[];
  /** Objects whose contents travel beside the image, with a descriptor of this process to read them. */
  readonly bulk: readonly BulkSource[];
  /** Gives up flock and open-file locks, so that the target can take them; the processes do not run meanwhile. */
  giveUpLocks(): void;
  /** Takes them back after a failed move. @throws SyscallError EAGAIN when somebody snatched one */
  retakeLocks(): void;
  close(): void;
}

export interface BulkSource {
  readonly object: number;
  readonly fd: number;
  readonly extents: readonly { readonly offset: number; readonly length: number }[];
}

export interface Examination {
  readonly verdicts: readonly Verdict[];
  /** Files that the target must see; see `lookForFiles`. */
  readonly identities: readonly FileIdentity[];
}

/** Says what would become of every open file, without stopping the processes or changing anything. */
export function examineFiles(options: CaptureOptions): Examination {
  const survey = new Survey(options.processes);
  try {
    const mapped = addMapped(survey, options);
    const context = new Context(options, survey, false);
    const outcomes = captureDescriptions(options.kinds, context, survey.files);
    const verdicts: Verdict[] = [];
    const identities: FileIdentity[] = [];
    const shared = findSharedTables(options.processes, options.others);
    if (shared !== undefined)
      verdicts.push({ resource: 'descriptor tables', outcome: 'refused', code: shared.code, reason: shared.message });
    for (const [index, file] of survey.files.entries()) {
      const outcome = outcomes[index];
      if (outcome === undefined) continue;
      const resource = nameResource(file, mapped);
      if ('error' in outcome) verdicts.push({ resource, ...refusalOf(outcome.error) });
      else {
        const { kind, description } = outcome.value;
        verdicts.push({ resource, ...(kind.outcome?.(description.state) ?? { outcome: 'moves', code: 'ok', reason: '' }) });
        const identity = kind.identity?.(description.state);
        if (identity !== undefined) identities.push(identity);
      }
    }
    for (const refusal of context.locks.findAwaited(survey.files)) verdicts.push({ resource: 'file locks', ...refusalOf(refusal) });
    return { verdicts, identities };
  } finally {
    survey.close();
  }
}

/**
 * Captures the open files of frozen processes; nothing changes for them.
 * @throws KorriganError KRG_NOT_MOVABLE naming every file that cannot move
 */
export function captureFiles(options: CaptureOptions): Capture {
  const survey = new Survey(options.processes);
  try {
    const mapped = addMapped(survey, options);
    const context = new Context(options, survey, true);
    const refused: string[] = [];
    const shared = findSharedTables(options.processes, []);
    if (shared !== undefined) refused.push(shared.message);
    for (const refusal of context.locks.findAwaited(survey.files)) refused.push(refusal.message);
    const descriptions: OpenDescription[] = [];
    for (const [index, outcome] of captureDescriptions(options.kinds, context, survey.files).entries()) {
      if ('value' in outcome) descriptions.push(outcome.value.description);
      else refused.push(`${nameResource(survey.files[index] as OpenFile, mapped)}: ${refusalOf(outcome.error).reason}`);
    }
    if (refused.length > 0) throw new KorriganError('KRG_NOT_MOVABLE', `the process cannot move now: ${refused.join('; ')}`);
    const processes = survey.tables.map((table) => captureTable(table, context));
    return {
      image: { objects: context.objects.map(({ object }) => object), descriptions, processes },
      mapped,
      bulk: context.objects.flatMap(({ object, kind, files: [file] }) => {
        const extents = kind.object?.bulk?.(object.state) ?? [];
        return extents.length === 0 || file === undefined ? [] : [{ object: object.id, fd: file.fd, extents }];
      }),
      giveUpLocks: () => converse(onThisThread(), changeLocks(survey.files, descriptions, giveUpLock)),
      retakeLocks: () => converse(onThisThread(), changeLocks(survey.files, descriptions, takeLock)),
      close: () => survey.close(),
    };
  } catch (error) {
    survey.close();
    throw error;
  }
}

function* changeLocks(files: readonly OpenFile[], descriptions: readonly OpenDescription[], change: typeof takeLock): Conversation<void> {
  const calls = descriptions.flatMap(({ id, locks }) => locks.map((lock) => change(files[id]?.fd ?? -1, lock)));
  if (calls.length > 0) yield calls;
}

function addMapped(survey: Survey, { mapped = [] }: CaptureOptions): number[] {
  return mapped.map((fd) => survey.add(fd).id);
}

class Context implements CaptureContext {
  readonly processes: readonly MovingProcess[];
  readonly files: readonly OpenFile[];
  readonly contents: boolean;
  readonly containerRoot: string;
  readonly clocks: ContainerClocks;
  readonly locks: LockTable;
  readonly objects: { object: SharedObject; kind: Kind; files: OpenFile[] }[] = [];
  private readonly others: Outside;
  private readonly known: ReadonlySet<number>;
  private readonly infos = new Map<number, DescriptorInfo>();
  private readonly pids = new Map<number, number>();

  constructor(options: CaptureOptions, survey: Survey, contents: boolean) {
    this.processes = options.processes;
    this.files = survey.files;
    this.contents = contents;
    this.containerRoot = `/proc/${options.initHostPid}/root`;
    this.clocks = options.clocks;
    this.locks = LockTable.read(survey.files);
    this.others = new Outside(survey.files, options.others);
    this.known = new Set([...options.relatives, ...options.processes.map(({ pid }) => pid)]);
    for (const { hostPid, pid } of options.processes) this.pids.set(hostPid, pid);
  }

  info(file: OpenFile): DescriptorInfo {
    let info = this.infos.get(file.id);
    if (info === undefined) this.infos.set(file.id, (info = new DescriptorInfo(readFileSync(`/proc/self/fdinfo/${file.fd}`, 'latin1'))));
    return info;
  }

  outside(file: OpenFile): ReturnType<Outside['of']> {
    return this.others.of(file);
  }

  isKnownThere(pid: number): boolean {
    return this.known.has(pid);
  }

  pidInside(hostPid: number): number {
    let pid = this.pids.get(hostPid);
    if (pid === undefined) {
      pid = Number(readStatus(hostPid)?.get('NSpid')?.split(/\s+/).at(-1) ?? 0);
      this.pids.set(hostPid, pid);
    }
    return pid;
  }
}

interface Captured {
  readonly kind: Kind;
  readonly description: OpenDescription;
}

function captureDescriptions(kinds: readonly Kind[], context: Context, files: readonly OpenFile[]): Settled<Captured>[] {
  const kindOf = files.map((file) => kinds.find((kind) => kind.matches(file, context)));
  const groups = new Map<string, { kind: Kind; files: OpenFile[] }>();
  const groupOf = files.map((file, n) => {
    const kind = kindOf[n];
    if (kind?.object === undefined) return undefined;
    const key = `${kind.name} ${kind.object.key(file, context)}`;
    let group = groups.get(key);
    if (group === undefined) groups.set(key, (group = { kind, files: [] }));
    group.files.push(file);
    return key;
  });
  const keys = [...groups.keys()];
  const objects = converse(
    onThisThread(),
    settled([...groups.values()].map(({ kind, files: own }) => (kind.object as NonNullable<Kind['object']>).capture(own, context))),
  );
  for (const [id, outcome] of objects.entries()) {
    const group = groups.get(keys[id] ?? '');
    if (group !== undefined && 'value' in outcome)
      context.objects.push({ object: { id, kind: group.kind.name, state: outcome.value }, ...group });
  }
  return converse(
    onThisThread(),
    settled(
      files.map(function* (file, n): Conversation<Captured> {
        const kind = kindOf[n];
        if (kind === undefined) throw new Refusal('anonymous.unknown', `${file.link} is of a kind that cannot move`);
        if (file.hasLease) throw new Refusal('file.lease', `${file.link} is under a lease; give it up before the move`);
        const object = groupOf[n] === undefined ? undefined : keys.indexOf(groupOf[n]);
        const captured = object === undefined ? undefined : objects[object];
        if (captured !== undefined && 'error' in captured) throw captured.error;
        const owner = ownerOf(file, context);
        const state = yield* kind.capture(file, context);
        const description: OpenDescription = {
          id: file.id,
          kind: kind.name,
          name: file.link,
          flags: file.flags,
          locks: context.locks.ofDescription(file, context),
          state,
          ...(owner === undefined ? {} : { owner }),
          ...(object === undefined ? {} : { object }),
        };
        return { kind, description };
      }),
    ),
  );
}

function ownerOf({ owner }: OpenFile, context: CaptureContext): SignalOwner | undefined {
  if (owner === undefined) return undefined;
  const pid = context.pidInside(owner.pid);
  return pid === 0 ? undefined : { ...owner, pid };
}

function captureTable(table: DescriptorTable, context: Context): ProcessFiles {
  const { process, entries, workingDirectory, rootDirectory } = table;
  const descriptors: Descriptor[] = entries.map(({ fd, file, closeOnExec }) => ({ fd, description: file.id, closeOnExec }));
  const recordLocks = entries.flatMap(({ fd, file }) => context.locks.ofProcess(process, fd, file).map((lock: FileLock) => ({ fd, lock })));
  const umask = Number.parseInt(readStatus(process.hostPid)?.get('Umask') ?? '022', 8);
  return {
    pid: process.pid,
    descriptors,
    recordLocks: context.locks.withoutDoubles(recordLocks, entries),
    workingDirectory: workingDirectory.id,
    rootDirectory: rootDirectory.id,
    umask,
  };
}

function refusalOf(error: unknown): Omit<Verdict, 'resource'> {
  if (error instanceof Refusal) return { outcome: 'refused', code: error.code, reason: error.message };
  throw error;
}

function nameResource(file: OpenFile, mapped: readonly number[]): string {
  const [holder] = file.holders;
  if (holder !== undefined) return `descriptor ${holder.fd} of process ${holder.process.pid} (${file.link})`;
  return mapped.includes(file.id) ? `mapped file ${file.link}` : `working or root directory ${file.link}`;
}
