/**
 * The descriptions of an image, opened in pid 1's descriptor table: once for all processes that arrive together. From there they
 * are delivered to each process; then the store lets go of them.
 */
import {
  attempt,
  call,
  converse,
  FCNTL,
  resultOf,
  SEEK,
  settled,
  together,
  valueOf,
  type Call,
  type Conversation,
  type ProgramRunner,
} from '../linux/index.ts';
import type { Extent, FileIdentity, FilesImage, OpenDescription, SharedObject } from './image.ts';
import { lookFor } from './identity.ts';
import type { ContainerClocks, Kind, RestoreContext } from './kind.ts';
import { giveUpLock, takeLock } from './locks.ts';
import { closeAll } from './survey.ts';
import { asNotMovable, Refusal, type Verdict } from './verdict.ts';

export interface StoreOptions {
  readonly image: FilesImage;
  readonly kinds: readonly Kind[];
  /** Runs programs in pid 1 of the container. */
  readonly lane: ProgramRunner;
  readonly clocks: ContainerClocks;
  /** Run programs inside the processes that arrive, by pid; without them some sockets name pid 1 as the one who made them. */
  readonly inside?: ReadonlyMap<number, ProgramRunner>;
  /** See {@link RestoreContext}; they stay open. */
  readonly kept?: RestoreContext['kept'];
}

/** Where contents that travel beside the image are to be written, before `seal`. */
export interface BulkTarget {
  readonly object: number;
  /** Descriptor of pid 1. */
  readonly fd: number;
  readonly extents: readonly Extent[];
}

const OWNER_TYPE = { thread: 0, process: 1, group: 2 } as const;

export class DescriptorStore {
  readonly image: FilesImage;
  private readonly kinds: ReadonlyMap<string, Kind>;
  private readonly lane: ProgramRunner;
  private readonly clocks: ContainerClocks;
  private readonly inside: ReadonlyMap<number, ProgramRunner>;
  private readonly kept: RestoreContext['kept'];
  private readonly open = new OpenDescriptors();
  private readonly objects = new Map<number, readonly number[]>();
  private readonly descriptions = new Map<number, number>();

  constructor({ image, kinds, lane, clocks, inside = new Map(), kept = new Map() }: StoreOptions) {
    this.image = image;
    this.kinds = new Map(kinds.map((kind) => [kind.name, kind]));
    this.lane = lane;
    this.clocks = clocks;
    this.inside = inside;
    this.kept = kept;
  }

  /**
   * Makes objects and opens descriptions. {@link DescriptorStore.finish} comes next; the {@link BulkTarget}s are filled before {@link DescriptorStore.seal}.
   * @throws Refusal or SyscallError; nothing stays open then
   */
  begin(): BulkTarget[] {
    return this.orRelease(() => {
      const made = this.converse(
        together(this.image.objects.map((object) => this.objectKind(object.kind).restore(object.state, this.context(), this.make(object)))),
      );
      for (const [n, { id }] of this.image.objects.entries()) this.objects.set(id, made[n] ?? []);
      const opened = this.converse(together(this.image.descriptions.map((description) => this.restore(description))));
      for (const [n, { id }] of this.image.descriptions.entries()) this.descriptions.set(id, opened[n] ?? -1);
      return this.image.objects.flatMap(({ id, kind, state }) => {
        const extents = this.objectKind(kind).bulk?.(state) ?? [];
        const [fd] = this.objects.get(id) ?? [];
        return extents.length === 0 || fd === undefined ? [] : [{ object: id, fd, extents }];
      });
    });
  }

  /** Completes what needs all descriptions. @throws as begin */
  finish(): void {
    this.orRelease(() => {
      const steps: Conversation<void>[] = [];
      for (const { id, kind, state } of this.image.objects) {
        const step = this.objectKind(kind).finish?.(state, this.objects.get(id) ?? [], this.context());
        if (step !== undefined) steps.push(step);
      }
      for (const { id, kind, state } of this.image.descriptions) {
        const step = this.kind(kind).finish?.(state, this.descriptor(id), this.context());
        if (step !== undefined) steps.push(step);
      }
      this.converse(together(steps));
    });
  }

  /** The last step: all contents are there, and all mappings. @throws as begin */
  seal(): void {
    this.orRelease(() => {
      const steps = this.image.objects.flatMap(({ id, kind, state }) => {
        const step = this.objectKind(kind).seal?.(state, this.objects.get(id) ?? []);
        return step === undefined ? [] : [step];
      });
      if (steps.length > 0) this.converse(together(steps));
    });
  }

  /** Descriptor of pid 1 for a description. */
  descriptor(description: number): number {
    const fd = this.descriptions.get(description);
    if (fd === undefined) throw new RangeError(`the image has no description ${description}`);
    return fd;
  }

  kind(name: string): Kind {
    const kind = this.kinds.get(name);
    if (kind === undefined) throw new Refusal('anonymous.unknown', `this node does not know files of kind ${name}`);
    return kind;
  }

  /** Moves descriptions to where they are by now. */
  setPositions(positions: readonly (readonly [description: number, position: number])[]): void {
    if (positions.length === 0) return;
    const seek = function* (store: DescriptorStore): Conversation<void> {
      yield positions.map(([description, position]) => call('lseek', store.descriptor(description), position, SEEK.set));
    };
    this.converse(seek(this));
  }

  /** Takes flock and open-file locks, after the source has given them up. @throws SyscallError EAGAIN when somebody snatched one */
  takeLocks(): void {
    this.converse(this.lockCalls(takeLock));
  }

  /** Gives them up again, e.g. because the source takes them back. */
  giveUpLocks(): void {
    this.converse(this.lockCalls(giveUpLock));
  }

  /** Descriptors of pid 1 that stand for an object; what they mean is its kind's own affair. */
  objectDescriptors(object: number): readonly number[] {
    return this.objects.get(object) ?? [];
  }

  /** Leaves a descriptor open in pid 1, for whoever asks. */
  keep(fd: number): void {
    this.open.forget(fd);
  }

  /** All descriptors of pid 1 that {@link DescriptorStore.release} will close. */
  get openDescriptors(): number[] {
    return this.open.all;
  }

  /** Closes everything in pid 1. What was delivered stays open in the processes. */
  release(): void {
    const fds = this.open.takeAll();
    if (fds.length === 0) return;
    converse(this.lane, closeAll(fds));
  }

  /** Lets a process make an object, by preference the one that made it at first. @returns descriptors in pid 1 */
  private make({ kind, state }: SharedObject): number[] {
    const { make } = this.objectKind(kind);
    if (make === undefined) return [];
    const maker = make.by(state);
    const [pid, inside] = this.inside.has(maker) ? [maker, this.inside.get(maker)] : ([...this.inside][0] ?? []);
    if (pid === undefined || inside === undefined) return [];
    const open = new OpenDescriptors();
    try {
      const made = converse(inside, make.run(state), (asked, result) => open.note(asked, result));
      return this.converse(take(pid, made));
    } finally {
      converse(inside, closeAll(open.takeAll()));
    }
  }

  private *restore(description: OpenDescription): Conversation<number> {
    const kind = this.kind(description.kind);
    const objects = description.object === undefined ? [] : (this.objects.get(description.object) ?? []);
    const fd = yield* kind.restore(kind.schema.parse(description.state), description, objects, this.context());
    const { owner } = description;
    const calls: Call[] = [];
    if (owner !== undefined) {
      const bytes = new Uint8Array(Int32Array.of(OWNER_TYPE[owner.type], owner.pid).buffer);
      // The owner may have ended long ago: then nobody gets the signal, as before.
      calls.push(attempt('fcntl', fd, FCNTL.setOwnerEx, bytes), call('fcntl', fd, FCNTL.setSignal, owner.signal));
    }
    if (calls.length > 0) yield calls;
    return fd;
  }

  private *lockCalls(make: typeof takeLock): Conversation<void> {
    const calls = this.image.descriptions.flatMap(({ id, locks }) => locks.map((lock) => make(this.descriptor(id), lock)));
    if (calls.length > 0) yield calls;
  }

  private objectKind(name: string): NonNullable<Kind['object']> {
    const { object } = this.kind(name);
    if (object === undefined) throw new Refusal('anonymous.unknown', `files of kind ${name} have no shared object`);
    return object;
  }

  private context(): RestoreContext {
    return { clocks: this.clocks, objects: this.objects, descriptions: this.descriptions, kept: this.kept };
  }

  private converse<T>(conversation: Conversation<T>): T {
    return converse(this.lane, conversation, (made, result) => this.open.note(made, result));
  }

  private orRelease<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      this.release();
      throw asNotMovable(error);
    }
  }
}

/** Duplicates, in the process where this runs, of descriptors of another. */
function* take(pid: number, fds: readonly number[]): Conversation<number[]> {
  const results = yield [
    call('pidfd_open', pid, 0),
    ...fds.map((fd) => call('pidfd_getfd', resultOf(0), fd, 0)),
    call('close', resultOf(0)),
  ];
  return results.slice(1, fds.length + 1);
}

const OPENING = new Set<Call['name']>([
  'open',
  'openat',
  'eventfd2',
  'signalfd4',
  'timerfd_create',
  'memfd_create',
  'epoll_create1',
  'inotify_init1',
  'pidfd_open',
  'pidfd_getfd',
  'socket',
  'accept4',
  'dup',
]);

/** Which descriptors a series of calls has left open. */
export class OpenDescriptors {
  private readonly fds = new Set<number>();

  note({ name, args }: Call, result: number): void {
    if (result < 0) return;
    if (OPENING.has(name) || (name === 'fcntl' && (args[1] === FCNTL.duplicate || args[1] === FCNTL.duplicateCloseOnExec)))
      this.fds.add(result);
    else if (name === 'pipe2' || name === 'socketpair') {
      const pair = args[name === 'pipe2' ? 0 : 3];
      if (pair instanceof Uint8Array) for (const fd of new Int32Array(pair.buffer, pair.byteOffset, 2)) this.fds.add(fd);
    } else if (name === 'close') this.fds.delete(Number(args[0]));
  }

  forget(fd: number): void {
    this.fds.delete(fd);
  }

  get all(): number[] {
    return [...this.fds];
  }

  takeAll(): number[] {
    const all = [...this.fds];
    this.fds.clear();
    return all;
  }
}

/** Whether this node sees the files that moving processes need; run before anything is touched. @param lane runs in pid 1 */
export function lookForFiles(identities: readonly FileIdentity[], lane: ProgramRunner): Verdict[] {
  const outcomes = converse(lane, settled(identities.map((identity) => lookFor(identity))));
  return outcomes.flatMap((outcome, n): Verdict[] => {
    if ('value' in outcome) return [];
    if (!(outcome.error instanceof Refusal)) return [valueOf(outcome)];
    return [{ resource: `file ${identities[n]?.path}`, outcome: 'refused', code: outcome.error.code, reason: outcome.error.message }];
  });
}
