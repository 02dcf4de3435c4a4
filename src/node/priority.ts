/** The daemon goes before the programs of its node: other nodes take a node that is silent for dead. */
import { setPriority } from 'node:os';
import type { Container } from '../container/index.ts';

/** nice(2). A machine that is all busy leaves such a thread as much of a processor as it asks for. */
const PRIORITY = -15;
/** With 0 the calling thread, setpriority(2). */
const PRIO_PROCESS = 0;

/**
 * Raises the calling thread, the threads that it starts from then on (setpriority(2), NOTES), and that thread of pid 1 for which the calling one waits. To be called when the node takes part: until then it needs much of a processor, and its
 * container's pid 1, and with it all programs, would inherit it.
 */
export function raisePriority(container: Container, log: { warn(details: object, message: string): void }): void {
  try {
    setPriority(PRIORITY);
    container.lane.call('setpriority', PRIO_PROCESS, 0, PRIORITY);
  } catch (error) {
    log.warn({ err: error }, 'the daemon may not raise its priority: when the machine is all busy this node may be taken for dead');
  }
}
