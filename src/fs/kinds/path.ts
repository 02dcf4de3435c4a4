/** Regular files, directories and O_PATH descriptors that have a name: opened again by it, after checking that it is the same file. */
import { z } from 'zod';
import { AT_FDCWD, call, FILE_TYPE, NODE_LOCAL_FILE_SYSTEMS, OPEN, SEEK, type Conversation } from '../../linux/index.ts';
import { checkIdentity, identify, pathOf } from '../identity.ts';
import { fileIdentitySchema } from '../image.ts';
import { defineKind } from '../kind.ts';
import type { OpenFile } from '../survey.ts';
import { Refusal } from '../verdict.ts';

/** Flags of F_GETFL that open(2) takes; O_ASYNC is set afterwards with the owner. */
export const REOPEN_FLAGS =
  OPEN.accessMode |
  OPEN.append |
  OPEN.nonBlocking |
  OPEN.sync |
  OPEN.direct |
  OPEN.largeFile |
  OPEN.directory |
  OPEN.noFollow |
  OPEN.noAccessTime |
  OPEN.path;

/** The same for what is opened anew through /proc/self/fd, a link that leads to the very file, be it a directory or not. */
export const REOPEN_THROUGH_LINK_FLAGS = REOPEN_FLAGS & ~(OPEN.directory | OPEN.noFollow);

const stateSchema = z.object({
  identity: fileIdentitySchema,
  /** Position; that of a directory may use all 63 bits. */
  offset: z.bigint(),
});

/** True when the file's name is gone; a name that merely ends like this still has links. */
export const isDeleted = (file: OpenFile): boolean => file.link.endsWith(' (deleted)') && file.status.links === 0;

const isPathOnly = (file: OpenFile): boolean => (file.flags & OPEN.path) !== 0;
const typeOf = (file: OpenFile): number => file.status.mode & FILE_TYPE.mask;

export const pathKind = defineKind<z.infer<typeof stateSchema>>({
  name: 'file',
  schema: stateSchema,
  matches: (file) =>
    file.link.startsWith('/') &&
    (typeOf(file) === FILE_TYPE.regular || typeOf(file) === FILE_TYPE.directory || isPathOnly(file)) &&
    (!isDeleted(file) || typeOf(file) !== FILE_TYPE.regular),
  *capture(file, context) {
    if (isDeleted(file)) throw new Refusal('file.deleted-directory', `${file.link}: it was removed while it is in use`);
    if (isPathOnly(file) && typeOf(file) === FILE_TYPE.symbolicLink && context.outside(file).description.length > 0) {
      throw new Refusal('file.symbolic-link', `${file.link} is an open symbolic link that is shared with a process that stays`);
    }
    const appendsOnly = (file.flags & OPEN.accessMode) === OPEN.writeOnly && (file.flags & OPEN.append) !== 0;
    const [stranger] = context.outside(file).description;
    if (stranger !== undefined && !isPathOnly(file) && !appendsOnly) {
      throw new Refusal(
        'file.offset-shared',
        `the position in ${file.link} is shared with process ${context.pidInside(stranger.hostPid)}, which stays; move both together (--tree)`,
      );
    }
    const offset = isPathOnly(file) ? 0n : typeOf(file) === FILE_TYPE.directory ? context.info(file).offset : BigInt(file.offset);
    return { identity: yield* identify(file, context), offset };
  },
  *restore({ identity, offset }, description): Conversation<number> {
    const isPath = (description.flags & OPEN.path) !== 0;
    const [fd = -1] = yield [call('openat', AT_FDCWD, pathOf(identity), (description.flags & REOPEN_FLAGS) | OPEN.closeOnExec, 0)];
    yield* checkIdentity(fd, identity);
    if (!isPath && offset !== 0n) yield [call('lseek', fd, offset, SEEK.set)];
    return fd;
  },
  isSteady({ identity }, file) {
    // Without a time of birth the identity holds the size, which a running process changes; positions in directories may use all 63 bits.
    const isLasting = identity.born !== undefined || NODE_LOCAL_FILE_SYSTEMS.has(identity.fileSystem);
    return isLasting && (isPathOnly(file) || typeOf(file) === FILE_TYPE.regular);
  },
  outcome({ identity }) {
    const system = NODE_LOCAL_FILE_SYSTEMS.get(identity.fileSystem);
    if (system === undefined) return { outcome: 'moves', code: 'ok', reason: '' };
    return {
      outcome: 'reconnects',
      code: 'file.node-local',
      reason: `files of ${system} are made by the node itself: it will show the new node's`,
    };
  },
  identity: ({ identity }) => identity,
});
