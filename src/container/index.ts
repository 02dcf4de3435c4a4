/**
 * container: the namespaces in which the processes of a node live, and their pid 1: an interpreter of system calls with a thread per
 * lane, a launcher with the seccomp filter, a reaper, and the keeper of the node's pid range. Pid 1 is no child of the daemon and shares a
 * memory area with it, so a daemon that dies takes nothing along: the next one adopts the container. What must outlive the
 * daemon is a descriptor of pid 1 or lies in the arena. Pid 1 must never crash: programs are checked before it runs them.
 */
export { LANES } from './arena.ts';
export * from './container.ts';
export { Lane } from './lane.ts';
export { executableFiles, type Credentials, type LaunchOptions, type StandardStreams } from './launch.ts';
export * from './pid-range.ts';
export { mountOverProc, mountProcfsBelow } from './proc-mount.ts';
export { RecordSlots } from './record-slots.ts';
export type { Ending, ReapedProcess, ReaperRing } from './reaper-ring.ts';
export { sendDescriptors } from './send-descriptors.ts';
export { SPAWN_ADDRESS, type SpawnOptions } from './spawn.ts';
export type { Terminal } from './terminal.ts';
export { namedProcess, TRAPPED_CALLS, type TrappedCallName } from './trapped-calls.ts';
export { TrappedCallSlots, type TrappedCallInFlight } from './trapped-call-slots.ts';
export { hasSharedPid, SharedPids } from './shared-pids.ts';
