/** The end of this node, with everything that runs on it: because somebody wants it, or because the others have declared it dead. */
import { rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Container } from '../container/index.ts';
import { depart, type HotPlug } from '../hotplug/index.ts';
import type { ControlGroup } from '../linux/index.ts';
import type { RpcNode } from '../rpc/index.ts';
import type { Kin } from './kin.ts';
import type { Ending } from './services/membership.ts';

/** How long a part of this node may take to end when all of it ends. */
const GOODBYE_MILLISECONDS = 1000;

interface EndingContainer {
  readonly kin: Kin;
  readonly container: Container;
  readonly log: Logger;
}

/** What stands here for processes of other nodes ends, too, and nobody may take that for their end: so nobody looks any more. */
async function endContainer({ kin, container, log }: EndingContainer): Promise<void> {
  // A worker that is blocked in the kernel would not end.
  await Promise.race([kin[Symbol.asyncDispose](), delay(GOODBYE_MILLISECONDS)]);
  await container.kill();
  log.warn({}, 'the container of this node has ended');
}

/** Other nodes have seen everything here killed: it is, and the supervisor starts the next daemon, with another container. */
export async function endFenced(ending: EndingContainer): Promise<void> {
  await endContainer(ending);
  process.kill(process.pid, 'SIGKILL');
}

interface EndingNode extends EndingContainer {
  readonly hotPlug: HotPlug;
  readonly rpc: RpcNode;
  /** Of the daemon and its supervisor. */
  readonly group: ControlGroup;
  /** Of the API. */
  readonly socket: string;
}

/** What runs here ends, then the daemon; it is started anew after `reboot` only. */
export async function endNode(how: Ending, { hotPlug, rpc, group, socket, ...ending }: EndingNode): Promise<void> {
  const { container, log } = ending;
  const { life } = container;
  log.warn({ how }, 'this node ends, with everything that runs on it');
  // The supervisor: nobody is to take the place of a daemon that falls over its dying container.
  if (how !== 'reboot' && group.exists) for (const pid of group.processes()) if (pid !== process.pid) process.kill(pid, 'SIGKILL');
  await endContainer(ending);
  if (how === 'leave')
    await hotPlug
      .change((view) => depart(view, rpc.id, life))
      .catch((error: unknown) => log.warn({ error }, 'the others could not be told that this node ends; they will find out'));
  // Whoever asks need not wait for a daemon that comes back.
  if (how !== 'reboot') rmSync(socket, { force: true });
  await Promise.race([rpc.close(), delay(GOODBYE_MILLISECONDS)]);
  process.kill(process.pid, 'SIGKILL');
}
