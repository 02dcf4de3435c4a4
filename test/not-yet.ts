/**
 * Feature programs whose state does not move yet. `refused`: preflight names it and the program goes on where it is, which is checked.
 * `differs`: the program sees a difference, or the refusal has no name yet; these are run and expected to fail.
 */
export const NOT_YET: Readonly<Record<string, { kind: 'refused' | 'differs'; why: string }>> = {
  attribute_landlock: { kind: 'refused', why: 'a Landlock domain cannot be read back' },
  attribute_no_write_execute: { kind: 'refused', why: 'prctl(PR_SET_MDWE) forbids the region for programs' },
  file_root: { kind: 'refused', why: 'a husk with a root directory of its own cannot become its process again' },
  memory_executable_alias: { kind: 'refused', why: 'a mapping of a memory file' },
  memory_two_views: { kind: 'refused', why: 'a mapping of a memory file' },
  memory_unlinked_mapping: { kind: 'refused', why: 'a mapping of a deleted file' },
  process_child_of_thread: { kind: 'differs', why: 'children of a thread that is not the first' },
  process_continue_unreported: { kind: 'differs', why: 'a continuation that was not reported yet' },
  process_stop_unreported: { kind: 'refused', why: 'a stopped child whose parent moves too' },
  process_stopped: { kind: 'refused', why: 'a stopped child whose parent moves too' },
  process_stopped_threads: { kind: 'refused', why: 'a stopped child whose parent moves too' },
  syscall_receive_timeout: { kind: 'differs', why: 'the time-out of a socket begins anew' },
  syscall_signal_masks: {
    kind: 'differs',
    why: "a pending signal that only the call's own mask blocks is delivered before the call begins again",
  },
  syscall_write_pipe: { kind: 'differs', why: 'the kernel ends a write that is half done when its thread is stopped' },
  tty_background: { kind: 'differs', why: 'terminals of sessions that move: first cut' },
  tty_controlling: { kind: 'differs', why: 'terminals of sessions that move: first cut' },
  tty_hangup: { kind: 'differs', why: 'terminals of sessions that move: first cut' },
  tty_hung_up: { kind: 'differs', why: 'terminals of sessions that move: first cut' },
  tty_interrupt: { kind: 'differs', why: 'terminals of sessions that move: first cut' },
  tty_window_size: { kind: 'differs', why: 'terminals of sessions that move: first cut' },
};
