/** Who makes a call, and the same call made for him by a thread of pid 1, which takes on his credentials for it. */
import { z } from 'zod';
import {
  attempt,
  call,
  type Call,
  type CallArgument,
  converse,
  type Conversation,
  KorriganError,
  readStatus,
  type SystemCallName,
} from '../../linux/index.ts';
import type { Container, Lane } from '../../container/index.ts';
import type { ContainerTable } from '../process-table.ts';

const CAPABILITY_VERSION_3 = 0x20080522;

const id = z.int().nonnegative();

/** What the kernel asks of a caller (credentials(7), capabilities(7)). */
export const callerSchema = z.object({
  /** His thread group, process group and session, in the container. */
  pid: z.int(),
  group: z.int(),
  session: z.int(),
  /** Real, effective and saved. */
  users: z.tuple([id, id, id]),
  groups: z.tuple([id, id, id]),
  effective: z.bigint().nonnegative(),
});

export type Caller = z.infer<typeof callerSchema>;

/** @param thread as this process sees it @returns undefined when it has ended */
export function callerOf(thread: number, container: Container, table: ContainerTable): Caller | undefined {
  const status = readStatus(thread);
  const pid = container.containerPidOf(Number(status?.get('Tgid') ?? 0));
  const member = pid === undefined ? undefined : table.find(pid);
  if (status === undefined || member === undefined) return undefined;
  const { group, session } = member;
  const three = (key: string): [number, number, number] => {
    const [real = 0, effective = 0, saved = 0] = (status.get(key) ?? '').split(/\s+/).map(Number);
    return [real, effective, saved];
  };
  return {
    pid: member.pid,
    group,
    session,
    users: three('Uid'),
    groups: three('Gid'),
    effective: BigInt(`0x${status.get('CapEff') ?? '0'}`),
  };
}

/** Makes calls in pid 1 with the credentials of other callers. */
export class CallsForOthers {
  private readonly lane: Lane;
  /** All capabilities that pid 1 has. */
  private readonly permitted: bigint;

  /** @throws KorriganError KRG_INTERNAL when pid 1 has ended */
  constructor({ lane, initPid }: Pick<Container, 'lane' | 'initPid'>) {
    const mask = readStatus(initPid)?.get('CapPrm');
    if (mask === undefined) throw new KorriganError('KRG_INTERNAL', `process ${initPid} has ended`);
    this.lane = lane;
    this.permitted = BigInt(`0x${mask}`);
    // A daemon that was killed may have left it with those of somebody else.
    converse(lane, restored(this.permitted));
  }

  /**
   * The saved user id stays that of root, so that pid 1 gets its own ones back; no check of another process asks for it.
   * @returns the result, or the negated errno
   */
  make(caller: Caller, name: SystemCallName, args: readonly CallArgument[]): number {
    try {
      return converse(this.lane, made(caller, this.permitted, attempt(name, ...args)));
    } catch (error) {
      converse(this.lane, restored(this.permitted));
      throw error;
    }
  }
}

function* made({ users, groups, effective }: Caller, permitted: bigint, wanted: Call): Conversation<number> {
  // Calls of one batch are made whether or not an earlier one has failed.
  yield [call('setresgid', ...groups), call('setresuid', users[0], users[1], 0), capabilities(permitted & effective, permitted)];
  const [result = 0] = yield [wanted, ...ownAgain(permitted)];
  return result;
}

function* restored(permitted: bigint): Conversation<void> {
  yield ownAgain(permitted);
}

const ownAgain = (permitted: bigint): Call[] => [
  call('setresuid', 0, 0, 0),
  capabilities(permitted, permitted),
  call('setresgid', 0, 0, 0),
];

function capabilities(effective: bigint, permitted: bigint): Call {
  const header = new Uint8Array(8);
  new DataView(header.buffer).setUint32(0, CAPABILITY_VERSION_3, true);
  const sets = new Uint8Array(24);
  const view = new DataView(sets.buffer);
  for (const [n, half] of [0n, 32n].entries()) {
    view.setUint32(12 * n, Number((effective >> half) & 0xffffffffn), true);
    view.setUint32(12 * n + 4, Number((permitted >> half) & 0xffffffffn), true);
  }
  return call('capset', header, sets);
}
