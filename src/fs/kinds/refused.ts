/** What cannot move, by name. Also the last resort: whatever no kind knows is refused. */
import { z } from 'zod';
import { FILE_TYPE } from '../../linux/index.ts';
import { defineKind } from '../kind.ts';
import { Refusal, type VerdictCode } from '../verdict.ts';

const ANONYMOUS: readonly (readonly [link: RegExp, code: VerdictCode, what: string])[] = [
  [/^anon_inode:\[io_uring\]/, 'anonymous.io-uring', 'an io_uring, whose rings the kernel shares with the program'],
  [/^anon_inode:\[userfaultfd\]/, 'anonymous.userfaultfd', 'a userfaultfd: the program serves page faults itself'],
  [/^anon_inode:\[fanotify\]/, 'anonymous.fanotify', 'a fanotify group'],
  [/^anon_inode:\[perf_event\]/, 'anonymous.perf', 'a performance counter of this processor'],
  [/^anon_inode:(\[?bpf|btf)/, 'anonymous.bpf', 'a BPF object of this kernel'],
  [/^anon_inode:\[?kvm/, 'anonymous.kvm', 'a virtual machine of this kernel (KVM)'],
  [/^anon_inode:\[?seccomp/, 'anonymous.seccomp', 'a seccomp listener, which answers system calls of other processes'],
  [/^anon_inode:\[(fscontext|mount|open_tree)/, 'anonymous.mount', 'a mount that is being made'],
  [/^anon_inode:\[?landlock/, 'anonymous.landlock', 'a Landlock rule set'],
  [/^anon_inode:(\[?(sync_file|dma|drm|i915|sw_sync)|dmabuf)|^\/dmabuf:/, 'anonymous.dma-buffer', 'a buffer or fence of a device'],
  [
    /^(\/secretmem|anon_inode:\[secretmem)/,
    'anonymous.secret-memory',
    'secret memory (memfd_secret), which nobody but the process can read',
  ],
  [/^\/\[?aio/, 'anonymous.unknown', 'an asynchronous I/O context'],
];

export const refusedKind = defineKind<null>({
  name: 'refused',
  schema: z.null(),
  matches: () => true,
  // oxlint-disable-next-line require-yield
  *capture(file) {
    for (const [link, code, what] of ANONYMOUS) {
      if (link.test(file.link)) throw new Refusal(code, `${what}; close it before the move`);
    }
    if ((file.status.mode & FILE_TYPE.mask) === FILE_TYPE.socket)
      throw new Refusal('socket.other', `${file.link} is a socket of a kind that cannot move`);
    throw new Refusal('anonymous.unknown', `${file.link} is of a kind that cannot move`);
  },
  // oxlint-disable-next-line require-yield
  *restore() {
    throw new Refusal('anonymous.unknown', 'what was refused at its source cannot be restored');
  },
});
