/**
 * Feature programs whose state does not move yet. `refused`: preflight names it and the program goes on where it is, which is checked.
 * `differs`: the program sees a difference, or the refusal has no name yet; these are run and expected to fail.
 */
export const NOT_YET: Readonly<Record<string, { kind: 'refused' | 'differs'; why: string }>> = {
  attribute_landlock: { kind: 'refused', why: 'a Landlock domain cannot be read back' },
  attribute_no_write_execute: { kind: 'refused', why: 'prctl(PR_SET_MDWE) forbids the region for programs' },
  process_child_of_thread: {
    kind: 'differs',
    why: 'children are those of the first thread afterwards, which only __WNOTHREAD shows; who waits so when it is to move is refused',
  },
  process_child_of_thread_waited: { kind: 'refused', why: 'children would be those of the first thread' },
  process_thread_death_signal: { kind: 'refused', why: 'children would be those of the first thread' },
  syscall_signal_masks: {
    kind: 'differs',
    why: "as after SIGSTOP and SIGCONT: the kernel puts the thread's own mask back before the call begins again (kernel/signal.c, restore_saved_sigmask)",
  },
  syscall_write_pipe: {
    kind: 'differs',
    why: 'as after SIGSTOP and SIGCONT: the kernel ends a write that is half done (fs/pipe.c, anon_pipe_write), and nobody could add up the counts',
  },
};
