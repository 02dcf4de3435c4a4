import type { Kind } from '../kind.ts';
import { deviceKind } from './device.ts';
import { epollKind } from './epoll.ts';
import { eventfdKind, signalfdKind } from './counters.ts';
import { inotifyKind } from './inotify.ts';
import { namelessKind } from './nameless.ts';
import { namespaceKind } from './namespace.ts';
import { pathKind } from './path.ts';
import { pidfdKind } from './pidfd.ts';
import { timerfdKind } from './timerfd.ts';

export { refusedKind } from './refused.ts';
export { REOPEN_THROUGH_LINK_FLAGS } from './path.ts';

/** Everything but streams, and but {@link refusedKind}, which must stand last of all. */
export const fileKinds: readonly Kind[] = [
  pathKind,
  namelessKind,
  deviceKind,
  eventfdKind,
  timerfdKind,
  signalfdKind,
  epollKind,
  inotifyKind,
  pidfdKind,
  namespaceKind,
];
