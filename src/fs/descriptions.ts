/** How descriptions and descriptor tables that a survey has found are captured, kind by kind. */
import { readFileSync } from 'node:fs';
import {
  converse,
  DescriptorInfo,
  onThisThread,
  readStatus,
  settled,
  type Conversation,
  type FileLock,
  type Outcome as Settled,
} from '../linux/index.ts';
import type { CaptureOptions } from './capture.ts';
import type { Descriptor, OpenDescription, ProcessFiles, SharedObject, SignalOwner } from './image.ts';
import type { CaptureContext, ContainerClocks, Kind } from './kind.ts';
import { LockTable } from './locks.ts';
import { Outside } from './outside.ts';
import type { DescriptorTable, MovingProcess, OpenFile, Survey } from './survey.ts';
import { Refusal } from './verdict.ts';

/** What the kinds may ask while they capture. */
export class Context implements CaptureContext {
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

  whoMappedOutside(file: OpenFile, canWrite: boolean): number | undefined {
    return this.others.whoMapped(file, canWrite);
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

export interface Captured {
  readonly kind: Kind;
  readonly description: OpenDescription;
}

/** Captures every file by its kind. @returns outcomes in the order of the files; those that cannot move are errors */
export function captureDescriptions(kinds: readonly Kind[], context: Context, files: readonly OpenFile[]): Settled<Captured>[] {
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

export function captureTable(table: DescriptorTable, context: Context, mapped: ProcessFiles['mapped'] = []): ProcessFiles {
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
    mapped,
  };
}
