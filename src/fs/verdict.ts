/** What becomes of a resource of a process that moves, said before anything is touched. */
import { KorriganError } from '../linux/index.ts';

/**
 * - moves: goes along and is the same on the other node
 * - reconnects: is opened anew there and means that node's own thing
 * - relayed: stays connected to what remains behind, through the nodes
 * - lost: will not be there
 * - refused: the process cannot move because of it
 */
export type Outcome = 'moves' | 'reconnects' | 'relayed' | 'lost' | 'refused';

/** Why something is refused, lost, relayed or reconnected. Scripts may test these; a code never changes its meaning. */
export type VerdictCode =
  | 'ok'
  | 'file.not-seen'
  | 'file.differs'
  | 'file.hidden'
  | 'file.deleted-elsewhere'
  | 'file.too-large'
  | 'file.deleted-directory'
  | 'file.offset-shared'
  | 'file.lock-awaited'
  | 'file.lease'
  | 'file.node-local'
  | 'file.shared-memory'
  | 'file.block-device'
  | 'file.device'
  | 'file.hugetlb'
  | 'file.message-queue'
  | 'file.symbolic-link'
  | 'description.shared'
  | 'table.shared'
  | 'table.shared-threads'
  | 'anonymous.unknown'
  | 'anonymous.io-uring'
  | 'anonymous.userfaultfd'
  | 'anonymous.fanotify'
  | 'anonymous.perf'
  | 'anonymous.bpf'
  | 'anonymous.kvm'
  | 'anonymous.seccomp'
  | 'anonymous.mount'
  | 'anonymous.landlock'
  | 'anonymous.dma-buffer'
  | 'anonymous.secret-memory'
  | 'anonymous.namespace'
  | 'pidfd.dead'
  | 'pidfd.outside'
  | 'epoll.target-outside'
  | 'epoll.disabled-entry'
  | 'inotify.events-pending'
  | 'inotify.watch-gone'
  | 'pipe.outside'
  | 'pipe.relayed'
  | 'pipe.notifications'
  | 'socket.tcp'
  | 'socket.udp'
  | 'socket.netlink'
  | 'socket.packet'
  | 'socket.raw'
  | 'socket.vsock'
  | 'socket.crypto'
  | 'socket.other'
  | 'socket.unix-listening'
  | 'socket.unix-bound'
  | 'socket.unix-unconnected'
  | 'socket.unix-outside'
  | 'socket.descriptors-in-flight'
  | 'socket.credentials-in-flight'
  | 'socket.error-pending'
  | 'socket.filter'
  | 'terminal.outside'
  | 'terminal.relayed'
  | 'terminal.real'
  | 'terminal.queue'
  | 'terminal.number-taken';

export interface Verdict {
  /** What it is about, e.g. `descriptor 3 of process 70001: /var/log/x`. */
  readonly resource: string;
  readonly outcome: Outcome;
  readonly code: VerdictCode;
  /** One sentence for a person: why, and what can be done. Empty when it simply moves. */
  readonly reason: string;
}

/** A refusal that a node meets while it restores, as the other node is to hear it; other errors as they are. */
export function asNotMovable(error: unknown): unknown {
  return error instanceof Refusal ? new KorriganError('KRG_NOT_MOVABLE', `the process cannot move now: ${error.message}`) : error;
}

/** Thrown while a resource is examined: the process cannot move because of it. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: VerdictCode;

  constructor(code: VerdictCode, reason: string) {
    super(reason);
    this.code = code;
  }
}
