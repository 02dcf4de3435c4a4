/**
 * linux: the boundary to the kernel. The only code that knows system-call numbers, structure layouts and machine code, and the
 * only code that imports the FFI package. Everything here is synchronous and belongs to the calling thread; what blocks in the kernel
 * blocks that thread, so callers that must stay responsive run it in a worker. Structures are declared once, by the file of
 * the facility they belong to. Failures are {@link SyscallError}s, or results where a function's name starts with `try`.
 */
export * from './errno.ts';
export * from './errors.ts';
export * from './interpreter.ts';
export * from './native.ts';
export * from './program.ts';
export * from './socket.ts';
export * from './system-call-numbers.ts';
export * from './process-files.ts';
export * from './process-memory.ts';
export * from './processors.ts';
export * from './ptrace.ts';
export * from './registers.ts';
export { REGION_ADDRESS, REGION_LIMIT } from './program-region.ts';
export * from './remote-process.ts';
export * from './pending-continuation.ts';
export * from './stopped-threads.ts';
export * from './batch.ts';
export * from './blocking-socket.ts';
export * from './pagemap.ts';
export * from './record-cipher.ts';
export * from './userfaultfd.ts';
export * from './file-status.ts';
export * from './kcmp.ts';
export * from './kernel-tasks.ts';
export * from './fdinfo.ts';
export * from './ancillary.ts';
export * from './cgroup.ts';
export * from './clone.ts';
export * from './epoll.ts';
export * from './fuse.ts';
export * from './futex.ts';
export * from './init-image.ts';
export * from './listening-sockets.ts';
export * from './mounts.ts';
export * from './namespaces.ts';
export * from './pidfd.ts';
export * from './pty.ts';
export * from './seccomp.ts';
export { readSmallFile } from './small-files.ts';
export * from './unix-sockets.ts';
export * from './terminal.ts';
export * from './thread-credentials.ts';
