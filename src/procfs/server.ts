/**
 * The cluster's /proc as the kernel asks for it. What is of this node alone is answered at once, by this thread alone: pid 1 and the main thread may be waiting for it. All else
 * is asked of the main thread.
 */
import { randomBytes } from 'node:crypto';
import {
  decodeFuseName,
  decodeFuseOpen,
  decodeFuseRead,
  decodeFuseRelease,
  encodeFuseAttributes,
  encodeFuseDirectory,
  encodeFuseEntry,
  encodeFuseFileSystem,
  encodeFuseOpen,
  ERRNO,
  FILE_TYPE,
  FUSE_OPEN,
  FUSE_OPERATION,
  type FuseAttributes,
  type FuseDirectoryEntry,
  type FuseRequest,
  type FuseValidity,
  OPEN,
  SyscallError,
} from '../linux/index.ts';
import { type NodeId, unpack } from '../rpc/index.ts';
import { digestOf, listPlaces, listRoot, typeOf } from './listing.ts';
import type { LocalProcfs } from './local-procfs.ts';
import { type Operation, PIECE_BYTES, type Result, resultsSchema } from './messages.ts';
import { childOfProcess, filesIn, idOf, pidOf, type Place, placeOf, type ProcessPlace, REAL } from './places.ts';
import type { Questions } from './questions.ts';
import { FRESH_MILLISECONDS, Scans } from './scans.ts';

/** What is always there is believed for ever: walking to the node's own procfs must not need this thread. */
const FOR_EVER: FuseValidity = { entry: 1e12, attributes: 1e12 };
/** The kernel asks again at each look. Attributes come with the answer, for the checks that follow. */
const NOW: FuseValidity = { entry: 0, attributes: 1000 };
const LINK_MODE = FILE_TYPE.symbolicLink | 0o777;
const DIRECTORY_MODE = FILE_TYPE.directory | 0o555;
const FILE_MODE = FILE_TYPE.regular | 0o444;

type Body = Uint8Array;
type Answer = Body | Promise<Body>;

interface OpenFile {
  readonly place: Place;
  /** From `start` on; the file ends there when `isLast`. */
  piece: { readonly start: number; readonly bytes: Uint8Array; readonly isLast: boolean };
  /** When the piece was read, ms; undefined when it has been shown from its beginning. */
  readAt: number | undefined;
}

const fail = (errno: number): never => {
  throw new SyscallError('procfs', errno);
};

export class ProcServer {
  private readonly local: LocalProcfs;
  private readonly node: NodeId;
  private readonly questions: Questions;
  private readonly scans = new Scans();
  private readonly files = new Map<bigint, OpenFile>();
  private readonly directories = new Map<bigint, readonly FuseDirectoryEntry[]>();
  /** Those of an earlier daemon are none of this one's. */
  private nextHandle = randomBytes(8).readBigUInt64LE() >> 1n;

  constructor({ local, node, questions }: { local: LocalProcfs; node: NodeId; questions: Questions }) {
    this.local = local;
    this.node = node;
    this.questions = questions;
  }

  /** @returns undefined when the kernel expects no answer @throws SyscallError, of the promise as well */
  answer(request: FuseRequest): Answer | undefined {
    switch (request.operation) {
      case FUSE_OPERATION.lookup:
        return this.lookUp(this.place(request), decodeFuseName(request.body), request);
      case FUSE_OPERATION.getAttributes:
        return this.getAttributes(this.place(request), request);
      case FUSE_OPERATION.readLink:
        return this.readLink(this.place(request), request);
      case FUSE_OPERATION.open:
        return this.open(this.place(request), request);
      case FUSE_OPERATION.read:
        return this.read(request);
      case FUSE_OPERATION.openDirectory:
        return encodeFuseOpen(this.newHandle(), 0);
      case FUSE_OPERATION.readDirectory:
        return this.readDirectory(request);
      case FUSE_OPERATION.release:
        this.files.delete(decodeFuseRelease(request.body));
        return new Uint8Array();
      case FUSE_OPERATION.releaseDirectory:
        this.directories.delete(decodeFuseRelease(request.body));
        return new Uint8Array();
      case FUSE_OPERATION.statFileSystem:
        return encodeFuseFileSystem();
      case FUSE_OPERATION.setAttributes:
        return fail(ERRNO.EPERM);
      case FUSE_OPERATION.forget:
      case FUSE_OPERATION.batchForget:
      case FUSE_OPERATION.interrupt:
        return undefined;
      default:
        return fail(ERRNO.ENOSYS);
    }
  }

  private place({ node }: FuseRequest): Place {
    return placeOf(node) ?? fail(ERRNO.ESTALE);
  }

  private newHandle(): bigint {
    return this.nextHandle++;
  }

  // Names

  private lookUp(parent: Place, name: string, request: FuseRequest): Answer {
    if (parent.kind === 'process') return this.lookUpInProcess(childOfProcess(parent, name), request);
    const own = filesIn(parent).find((file) => file.name === name)?.place;
    if (own !== undefined) return entryOf(own, attributesOf(own), own.kind === 'node-file' && own.node !== 0 ? NOW : FOR_EVER);
    if (parent.kind === 'root') return this.lookUpInRoot(name, request);
    if (parent.kind === 'nodes') return this.lookUpNode(/^node([1-9]\d{0,5})$/.exec(name)?.[1]);
    return fail(ERRNO.ENOENT);
  }

  private lookUpInRoot(name: string, request: FuseRequest): Answer {
    const pid = pidOf(name);
    if (pid !== undefined) {
      const status = this.local.status(name);
      if (status === undefined || this.local.reader.isHusk(pid))
        return this.lookUpInProcess({ kind: 'process', pid, thread: 0, entry: '' }, request);
      return entryOf({ kind: 'local', pid }, { ...attributesOf({ kind: 'local', pid }), uid: status.uid, gid: status.gid }, NOW);
    }
    if (name === REAL) return entryOf({ kind: 'real' }, attributesOf({ kind: 'real' }), FOR_EVER);
    if (this.local.status(name) === undefined) return fail(ERRNO.ENOENT);
    const link: Place = { kind: 'link', digest: digestOf(name) };
    return entryOf(link, attributesOf(link), FOR_EVER);
  }

  private async lookUpNode(text: string | undefined): Promise<Body> {
    const node = Number(text);
    if (!(await this.questions.ask({ kind: 'nodes' })).includes(node)) fail(ERRNO.ENOENT);
    return entryOf({ kind: 'node', node }, attributesOf({ kind: 'node', node }), NOW);
  }

  private lookUpInProcess(place: ProcessPlace | undefined, request: FuseRequest): Answer {
    if (place === undefined) return fail(ERRNO.ENOENT);
    return after(this.look({ ...place, kind: 'attributes' }, request, ERRNO.ENOENT), ({ result, freshFor }) =>
      entryOf(place, attributesIn(result, place), { ...NOW, entry: freshFor }),
    );
  }

  private getAttributes(place: Place, request: FuseRequest): Answer {
    if (place.kind !== 'process') return encodeFuseAttributes(attributesOf(place), FOR_EVER.attributes);
    return after(this.look({ ...place, kind: 'attributes' }, request, ERRNO.ESRCH), ({ result }) =>
      encodeFuseAttributes(attributesIn(result, place), NOW.attributes),
    );
  }

  private readLink(place: Place, request: FuseRequest): Answer {
    if (place.kind === 'local') return Buffer.from(`${REAL}/${place.pid}`);
    if (place.kind === 'own-node') return Buffer.from(`node${this.node}`);
    if (place.kind === 'link') return Buffer.from(this.rootLink(this.local.nameOf(place.digest) ?? fail(ERRNO.ENOENT), request));
    if (place.kind !== 'process') return fail(ERRNO.EINVAL);
    return after(this.look({ ...place, kind: 'link' }, request, ERRNO.ENOENT), ({ result }) =>
      'link' in result ? Buffer.from(result.link) : fail(ERRNO.EIO),
    );
  }

  /** As Linux writes them. */
  private rootLink(name: string, { thread }: FuseRequest): string {
    if (name === 'net' || name === 'mounts') return `self/${name}`;
    if (name !== 'self' && name !== 'thread-self') return `${REAL}/${name}`;
    const pid = this.local.processOf(thread) ?? fail(ERRNO.ENOENT);
    return name === 'self' ? String(pid) : `${pid}/task/${thread}`;
  }

  // Directories

  private readDirectory({ node, body, ...request }: FuseRequest): Answer {
    const { handle, offset, size } = decodeFuseRead(body);
    const known = offset === 0 ? undefined : this.directories.get(handle);
    if (known !== undefined) return piecewise(known, offset, size);
    return this.list(placeOf(node) ?? fail(ERRNO.ESTALE), { node, body, ...request }).then((entries) => {
      this.directories.set(handle, entries);
      return piecewise(entries, offset, size);
    });
  }

  private async list(place: Place, request: FuseRequest): Promise<readonly FuseDirectoryEntry[]> {
    if (place.kind === 'root') return this.listRoot(request);
    if (place.kind === 'nodes') {
      const nodes = await this.questions.ask({ kind: 'nodes' });
      const all = [
        ...filesIn(place),
        ...nodes.toSorted((a, b) => a - b).map((node) => ({ name: `node${node}`, place: { kind: 'node', node } as const })),
      ];
      return listPlaces(
        place,
        all.map((child) => ({ ...child, type: typeOf(child.place) })),
      );
    }
    if (place.kind !== 'process')
      return listPlaces(
        place,
        filesIn(place).map((child) => ({ ...child, type: typeOf(child.place) })),
      );
    const { result } = await this.look({ ...place, kind: 'list' }, request, ERRNO.ENOENT);
    if (!('names' in result)) return fail(ERRNO.EIO);
    const children = result.names.flatMap((name, n) => {
      const child = childOfProcess(place, name);
      return child === undefined || idOf(child) === undefined ? [] : [{ name, place: child, type: result.types[n] ?? 0 }];
    });
    return listPlaces(place, children);
  }

  private async listRoot(request: FuseRequest): Promise<readonly FuseDirectoryEntry[]> {
    // A process that moves here meanwhile is seen by whoever is asked later.
    const elsewhere = await this.questions.ask({ kind: 'list', caller: this.local.callerOf(request) }).catch(() => []);
    const pids = this.local.reader.list();
    this.scans.listed(request.thread, elsewhere, performance.now());
    return listRoot({ names: this.local.rootNames(), pids: [...INIT, ...pids], elsewhere });
  }

  // Contents

  private open(place: Place, request: FuseRequest): Answer {
    if ((decodeFuseOpen(request.body) & OPEN.accessMode) !== OPEN.readOnly) return fail(ERRNO.EROFS);
    return after(this.piece(place, 0, request), (piece) => {
      const handle = this.newHandle();
      this.files.set(handle, { place, piece, readAt: performance.now() });
      return encodeFuseOpen(handle, FUSE_OPEN.directIo | FUSE_OPEN.noFlush);
    });
  }

  private read(request: FuseRequest): Answer {
    const { handle, offset, size } = decodeFuseRead(request.body);
    const file = this.files.get(handle);
    const cut = ({ start, bytes }: OpenFile['piece']): Body => bytes.subarray(offset - start, offset - start + size);
    if (file !== undefined && this.isCurrent(file, offset)) {
      if (offset === 0) file.readAt = undefined;
      return cut(file.piece);
    }
    const start = offset - (offset % PIECE_BYTES);
    return after(this.piece(file?.place ?? this.place(request), start, request), (piece) => {
      // The handle may be of an earlier daemon.
      this.files.set(handle, { place: file?.place ?? this.place(request), piece, readAt: undefined });
      return cut(piece);
    });
  }

  /** As in procfs: who reads from the beginning again is shown what is now. */
  private isCurrent({ piece, readAt }: OpenFile, offset: number): boolean {
    if (offset === 0) return piece.start === 0 && readAt !== undefined && performance.now() - readAt < FRESH_MILLISECONDS;
    return offset >= piece.start && (piece.isLast || offset < piece.start + piece.bytes.length);
  }

  private piece(place: Place, start: number, request: FuseRequest): Later<OpenFile['piece']> {
    if (place.kind !== 'process')
      return this.ownText(place, request).then((text) => ({ start: 0, bytes: Buffer.from(text, 'latin1'), isLast: true }));
    return after(this.look({ ...place, kind: 'read', offset: start }, request, ERRNO.ESRCH), ({ result }) => {
      if (!('bytes' in result)) return fail(ERRNO.EIO);
      return { start, bytes: result.bytes, isLast: result.bytes.length < PIECE_BYTES };
    });
  }

  private async ownText(place: Place, request: FuseRequest): Promise<string> {
    if (place.kind === 'node-count') return `${(await this.questions.ask({ kind: 'nodes' })).length}\n`;
    if (place.kind !== 'node-file') return fail(ERRNO.EISDIR);
    const { node, file } = place;
    return (await this.questions.ask({ kind: 'node-file', caller: this.local.callerOf(request), node, file })) ?? fail(ERRNO.ENOENT);
  }

  /** @param gone the error when the process is nowhere */
  private look({ kind, pid, thread: task, entry, offset = 0 }: Operation, request: FuseRequest, gone: number): Later<Seen> {
    const asked: Operation = { kind, pid, thread: task, entry, ...(kind === 'read' ? { offset } : {}) };
    const known = this.scans.take(request.thread, asked, performance.now());
    return known === undefined ? this.ask(asked, request, gone) : { result: found(known.result, gone), freshFor: known.freshFor };
  }

  private async ask(asked: Operation, request: FuseRequest, gone: number): Promise<Seen> {
    const look = this.scans.plan(request.thread, asked);
    const caller = this.local.callerOf(request);
    const { results, node } = await this.questions.ask({ kind: 'look', caller, look, hint: this.scans.hint(asked.pid) });
    if (results === undefined) return fail(gone);
    const parsed = resultsSchema.parse(unpack(results));
    this.scans.foundOn(asked.pid, node);
    this.scans.learned(request.thread, look, parsed, performance.now());
    return { result: found(parsed[0], gone), freshFor: 0 };
  }
}

type Later<T> = T | Promise<T>;

/** What was seen, and for how many milliseconds it may be shown again. */
interface Seen {
  readonly result: Result;
  readonly freshFor: number;
}

/** What is known already is answered at once. */
function after<T, U>(value: Later<T>, use: (value: T) => U): Later<U> {
  return value instanceof Promise ? value.then(use) : use(value);
}

function found(result: Result | undefined, gone: number): Result {
  if (result === undefined || 'isElsewhere' in result) return fail(gone);
  return 'errno' in result ? fail(result.errno) : result;
}

/** Pid 1 is every node's own. */
const INIT = [1];

function piecewise(entries: readonly FuseDirectoryEntry[], offset: number, size: number): Body {
  const start = entries.findIndex((each) => each.offset > offset);
  return start < 0 ? new Uint8Array() : encodeFuseDirectory(entries.slice(start), size);
}

function entryOf(place: Place, attributes: FuseAttributes, validity: FuseValidity): Body {
  return encodeFuseEntry(idOf(place) ?? fail(ERRNO.ENOENT), attributes, validity);
}

/** Of what is not a process elsewhere. */
function attributesOf(place: Place): FuseAttributes {
  const isLink = place.kind === 'local' || place.kind === 'link' || place.kind === 'own-node';
  const isFile = place.kind === 'node-file' || place.kind === 'node-count';
  const mode = isLink ? LINK_MODE : isFile ? FILE_MODE : DIRECTORY_MODE;
  return { inode: idOf(place) ?? 0n, mode, uid: 0, gid: 0, size: 0, links: isLink || isFile ? 1 : 2, time: Date.now() };
}

function attributesIn(result: Result, place: ProcessPlace): FuseAttributes {
  if (!('mode' in result)) return fail(ERRNO.EIO);
  const { mode, uid, gid, size, links } = result;
  return { inode: idOf(place) ?? 0n, mode, uid, gid, size, links, time: Date.now() };
}
