/**
 * The open files of processes in flight, as plain data. A *description* is what open(2) makes (offset, flags, owner) and may be
 * shared by many descriptors; an *object* is what several descriptions may share: a pipe, an unlinked file, a pty. Their
 * `state` belongs to their kind, which checks it against its own schema.
 */
import { z } from 'zod';

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);

/** Enough to tell on another node whether a path leads to the same file. */
export const fileIdentitySchema = z.object({
  path: z.string(),
  /** The path where it is no UTF-8; `path` is for people then. */
  rawPath: bytes.optional(),
  /** st_mode's type bits. */
  type: z.number(),
  inode: z.number(),
  device: z.number(),
  /** Nanoseconds since 1970 at which the inode was made; undefined where the file system does not know. */
  born: z.bigint().optional(),
  /** Bytes, for regular files. */
  size: z.number(),
  modified: z.bigint(),
  /** statfs f_type. */
  fileSystem: z.number(),
  /** boot_id of the kernel that was asked: device numbers mean something only there. */
  kernel: z.string(),
});
export type FileIdentity = z.infer<typeof fileIdentitySchema>;

export const fileLockSchema = z.object({
  type: z.enum(['flock', 'posix', 'open-file', 'lease']),
  access: z.enum(['read', 'write']),
  start: z.number(),
  end: z.number().optional(),
});

/** F_SETOWN_EX: who gets SIGIO. */
export const signalOwnerSchema = z.object({
  type: z.enum(['thread', 'process', 'group']),
  /** Pid inside the container. */
  pid: z.number(),
  /** F_SETSIG; 0 means SIGIO. */
  signal: z.number(),
});
export type SignalOwner = z.infer<typeof signalOwnerSchema>;

export const objectSchema = z.object({ id: z.number(), kind: z.string(), state: z.unknown() });
export type SharedObject = z.infer<typeof objectSchema>;

export const descriptionSchema = z.object({
  id: z.number(),
  kind: z.string(),
  /** For people: what /proc/PID/fd shows. */
  name: z.string(),
  /** F_GETFL: access mode and status flags. */
  flags: z.number(),
  owner: signalOwnerSchema.optional(),
  /** flock and open-file locks, which belong to the description. */
  locks: z.array(fileLockSchema),
  /** Object it belongs to, for kinds that have one. */
  object: z.number().optional(),
  state: z.unknown(),
});
export type OpenDescription = z.infer<typeof descriptionSchema>;

export const descriptorSchema = z.object({ fd: z.number(), description: z.number(), closeOnExec: z.boolean() });
export type Descriptor = z.infer<typeof descriptorSchema>;

export const processFilesSchema = z.object({
  /** Pid inside the container. */
  pid: z.number(),
  /** Sorted by number. */
  descriptors: z.array(descriptorSchema),
  /** Record locks (fcntl F_SETLK), which belong to the process, with a descriptor of the file. */
  recordLocks: z.array(z.object({ fd: z.number(), lock: fileLockSchema })),
  workingDirectory: z.number(),
  rootDirectory: z.number(),
  umask: z.number(),
  /** Descriptions that the process has mapped, by the start of the mapping, where a name does not lead to them. */
  mapped: z.array(z.object({ start: z.number(), description: z.number() })),
});
export type ProcessFiles = z.infer<typeof processFilesSchema>;

export const filesImageSchema = z.object({
  objects: z.array(objectSchema),
  descriptions: z.array(descriptionSchema),
  processes: z.array(processFilesSchema),
});
export type FilesImage = z.infer<typeof filesImageSchema>;

/** A run of bytes of a sparse file. */
export const extentSchema = z.object({ offset: z.number(), length: z.number() });
export type Extent = z.infer<typeof extentSchema>;

/** Contents of a file that exists only while it is open. */
export const contentsSchema = z.object({
  /** Bytes, holes included. */
  size: z.number(),
  /** Where there are data. */
  extents: z.array(extentSchema),
  /** The data of all extents one after the other, when they are few; else they travel beside the image. */
  inline: bytes.optional(),
});
export type Contents = z.infer<typeof contentsSchema>;
