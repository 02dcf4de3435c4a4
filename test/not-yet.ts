/** Feature programs whose state does not move yet. A refused one is named by preflight and goes on where it is. */
export const NOT_YET: Readonly<Record<string, { kind: 'refused' | 'differs'; why: string }>> = {
  memory_executable_alias: { kind: 'refused', why: 'a mapping of a memory file' },
  memory_locked_future: { kind: 'differs', why: 'mlockall(MCL_FUTURE) cannot be seen from outside' },
  memory_two_views: { kind: 'refused', why: 'a mapping of a memory file' },
  memory_unlinked_mapping: { kind: 'refused', why: 'a mapping of a deleted file' },
};
