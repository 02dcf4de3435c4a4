/** Directories as readers get them: entries with a type and a place to go on from that means the same in the next daemon. Pure. */
import { createHash } from 'node:crypto';
import { FILE_TYPE, type FuseDirectoryEntry } from '../linux/index.ts';
import { filesIn, idOf, pidOf, type Place, REAL } from './places.ts';
import type { ServerAnswers } from './server-protocol.ts';

const DIRECTORY = FILE_TYPE.directory >> 12;
const REGULAR = FILE_TYPE.regular >> 12;
const LINK = FILE_TYPE.symbolicLink >> 12;

/** Sections of the root: what is always there, processes of this node, those of others. */
const SECTION = 2 ** 44;
const NODE = 2 ** 23;

/** Names of the real root that Linux shows as links. */
const LINKS = new Set(['self', 'thread-self', 'net', 'mounts']);

/** 56 bits of the name of a link in the root. */
export function digestOf(name: string): bigint {
  return createHash('sha256').update(name).digest().readBigUInt64BE() >> 8n;
}

const entry = (place: Place, offset: number, type: number, name: string): FuseDirectoryEntry => ({
  inode: idOf(place) ?? 0n,
  offset,
  type,
  name,
});

/** `.` and `..` */
function dots(place: Place): FuseDirectoryEntry[] {
  return ['.', '..'].map((name, n) => entry(place, n + 1, DIRECTORY, name));
}

export interface RootContents {
  /** What the node's own procfs has beside processes; type bits are DT_*. */
  readonly names: readonly { readonly name: string; readonly type: number }[];
  /** Of this node. */
  readonly pids: readonly number[];
  /** Of the others. */
  readonly elsewhere: ServerAnswers['list'];
}

/** This node's processes come first. A process that is just moving, and that two nodes name, is shown once. */
export function listRoot({ names, pids, elsewhere }: RootContents): FuseDirectoryEntry[] {
  const root: Place = { kind: 'root' };
  const own = filesIn(root);
  const taken = new Set([...own.map(({ name }) => name), REAL]);
  const links = names.filter(({ name }) => !taken.has(name) && pidOf(name) === undefined);
  const always = [
    ...own.map(({ name, place }) => ({ name, place, type: place.kind === 'node-file' ? REGULAR : DIRECTORY })),
    ...links.map(({ name, type }) => ({
      name,
      place: { kind: 'link', digest: digestOf(name) } as const,
      type: LINKS.has(name) ? LINK : type,
    })),
  ];
  const here = new Set(pids);
  const seen = new Set(pids);
  const others = elsewhere.flatMap(({ node, pids: all }) =>
    all.flatMap((pid) => {
      if (seen.has(pid)) return [];
      seen.add(pid);
      return [entry({ kind: 'process', pid, thread: 0, entry: '' }, 2 * SECTION + node * NODE + pid, DIRECTORY, String(pid))];
    }),
  );
  return [
    ...dots(root),
    ...always.map(({ name, place, type }, n) => entry(place, n + 3, type, name)),
    // Links, but who filters by type wants to see them.
    ...[...here].toSorted((a, b) => a - b).map((pid) => entry({ kind: 'local', pid }, SECTION + pid, DIRECTORY, String(pid))),
    ...others.toSorted((a, b) => a.offset - b.offset),
  ];
}

/** Any other directory. */
export function listPlaces(
  place: Place,
  children: readonly { readonly name: string; readonly place: Place; readonly type: number }[],
): FuseDirectoryEntry[] {
  return [...dots(place), ...children.map((child, n) => entry(child.place, n + 3, child.type, child.name))];
}

export const typeOf = (place: Place): number => {
  if (place.kind === 'node' || place.kind === 'nodes' || place.kind === 'pressure') return DIRECTORY;
  return place.kind === 'own-node' ? LINK : REGULAR;
};
