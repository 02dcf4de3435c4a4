/** Which of the feature programs the engine moves by itself, without a cluster; see engine-features.test.ts and docs/what-moves.md. */
import type { Feature, FeatureGroup } from './features.ts';

const GROUPS: readonly FeatureGroup[] = ['memory', 'thread', 'signal', 'timer', 'cpu', 'credential', 'limit', 'attribute', 'syscall'];

/** Programs whose state is carried by what the engine alone does not have: descriptors, children, or a refusal by preflight. */
const NEEDS_MORE = new Set([
  'memory_huge_table_pages',
  'memory_secret',
  'memory_system_v',
  'syscall_lock_wait',
  'syscall_read_events',
  'syscall_read_terminal',
  'syscall_receive',
  'syscall_receive_timeout',
  'syscall_signal_masks',
  'syscall_vectors',
  'syscall_wait_with_memory',
  'limit_file_size',
  'attribute_keyring',
  'attribute_landlock',
  'attribute_namespaces',
  'attribute_no_write_execute',
  'attribute_seccomp_filter',
  'attribute_umask',
  'attribute_working_directory',
  'memory_executable_alias',
  'memory_memfd_closed',
  'memory_memfd_large',
  'memory_memfd_locked',
  'memory_memfd_larger',
  'memory_memfd_private',
  'memory_memfd_sealed',
  'memory_private_file_dirtied',
  'memory_protection_keys',
  'memory_shared_file',
  'memory_two_views',
  'memory_unlinked_mapping',
  'memory_unlinked_private',
  'signal_restart',
  'syscall_epoll_wait_timeout',
  'syscall_poll',
  'syscall_read_pipe',
  'syscall_write_pipe',
  'thread_leader_exited',
  'thread_own_directory',
  'thread_own_file_table',
]);

/** Whether the engine alone moves the feature's program. */
export function engineMoves({ name, group, needs }: Feature): boolean {
  return GROUPS.includes(group) && !needs.includes('tree') && !needs.includes('family') && !NEEDS_MORE.has(name);
}
