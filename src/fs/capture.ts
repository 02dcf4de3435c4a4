/** Examines and captures the open files of processes, kind by kind. */
import { converse, KorriganError, onThisThread, type Conversation } from '../linux/index.ts';
import { captureDescriptions, captureTable, Context } from './descriptions.ts';
import type { FileIdentity, FilesImage, OpenDescription, ProcessFiles } from './image.ts';
import type { ContainerClocks, Kind } from './kind.ts';
import { giveUpLock, takeLock } from './locks.ts';
import { findSharedTables, Survey, type MovingProcess, type OpenFile } from './survey.ts';
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
  /** What the processes have mapped that no name leads to. */
  readonly mapped?: readonly MappedDescription[];
}

/** A description through which a process can map a file. */
export interface MappedDescription {
  /** Pid inside the container. */
  readonly pid: number;
  /** Of this process, e.g. of /proc/PID/map_files; taken over. */
  readonly fd: number;
  /** Where the process has mapped it. */
  readonly starts: readonly number[];
}

/** Open files of frozen processes. Holds duplicates of all descriptions until it is closed. */
export interface Capture {
  readonly image: FilesImage;
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
    const processes = survey.tables.map((table) => captureTable(table, context, mapped.get(table.process.pid)));
    return {
      image: { objects: context.objects.map(({ object }) => object), descriptions, processes },
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

/** @returns what each process has mapped, by pid */
function addMapped(survey: Survey, { mapped = [] }: CaptureOptions): Map<number, ProcessFiles['mapped']> {
  // All are the survey's before anything can fail.
  survey.takeOver(mapped.map(({ fd }) => fd));
  const found = new Map<number, ProcessFiles['mapped']>();
  for (const { pid, fd, starts } of mapped) {
    const description = survey.add(fd).id;
    found.set(pid, [...(found.get(pid) ?? []), ...starts.map((start) => ({ start, description }))]);
  }
  return found;
}

function refusalOf(error: unknown): Omit<Verdict, 'resource'> {
  if (error instanceof Refusal) return { outcome: 'refused', code: error.code, reason: error.message };
  throw error;
}

function nameResource(file: OpenFile, mapped: ReadonlyMap<number, ProcessFiles['mapped']>): string {
  const [holder] = file.holders;
  if (holder !== undefined) return `descriptor ${holder.fd} of process ${holder.process.pid} (${file.link})`;
  const isMapped = [...mapped.values()].some((own) => own.some(({ description }) => description === file.id));
  return isMapped ? `mapped file ${file.link}` : `working or root directory ${file.link}`;
}
