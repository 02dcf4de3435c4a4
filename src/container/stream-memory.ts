/** The memory of a node's streams: made by one program of pid 1, so that it is there wholly or not at all. */
import { ARENA_ADDRESS, STREAM_MEMORY_ADDRESS, SUPERBLOCK } from './arena.ts';
import type { Lane } from './lane.ts';

const MFD_CLOEXEC = 1;
const PROT_READ_WRITE = 3;
const MAP_SHARED_FIXED = 0x11;

export function shareStreamMemory(lane: Lane, size: number): void {
  const program = lane.newProgram({ records: 8, data: 64 });
  const fd = program.call('memfd_create', program.string('korrigan-streams'), MFD_CLOEXEC);
  program.forwardResult(fd, program.length + 1, 0);
  program.call('ftruncate', 0, size);
  program.forwardResult(fd, program.length + 1, 4);
  program.call('mmap', STREAM_MEMORY_ADDRESS, size, PROT_READ_WRITE, MAP_SHARED_FIXED, 0, 0);
  program.operation('copy', ARENA_ADDRESS + SUPERBLOCK.streamMemoryFd, program.addressOfResult(fd), 4);
  lane.run(program);
}
