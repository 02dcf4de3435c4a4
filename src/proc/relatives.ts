/** Which processes must be present on a node, as husks if not themselves, for the kernel to see a family as it is. Pure. */
import { KorriganError } from '../linux/index.ts';

/** Pid of every container's init, present everywhere. */
export const INIT_PID = 1;

/** A process as its relatives see it, by pids of the container. */
export interface Member {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Wait status word, once it has ended and until its parent has collected it. */
  readonly ended?: number | undefined;
  /** N of /dev/pts/N that is its controlling terminal. */
  readonly terminal?: number | undefined;
}

/** The processes and husks of one node. */
export interface ProcessTable {
  find(pid: number): Member | undefined;
  /** Children, those that have ended included. */
  childrenOf(pid: number): readonly number[];
}

/**
 * Processes and what the kernel must know beside them: the ancestors up to init, the children, and the leaders of sessions and groups
 * with their own ancestors. Who has ended counts until its parent has collected its status.
 * @param withChildren false to leave the children out
 * @throws KorriganError KRG_NO_SUCH_PROCESS when one of `pids` does not live
 */
export function relativesOf(pids: Iterable<number>, table: ProcessTable, withChildren = true): Member[] {
  const known = new Map<number, Member | undefined>();
  const find = (pid: number): Member | undefined => {
    if (!known.has(pid)) known.set(pid, table.find(pid));
    return known.get(pid);
  };
  const found = new Map<number, Member>();
  const visit = (pid: number): void => {
    const member = pid <= INIT_PID || found.has(pid) ? undefined : find(pid);
    if (member === undefined) return;
    found.set(pid, member);
    visit(member.parent);
    visit(member.session);
    visit(member.group);
    if (member.session === pid) for (const child of table.childrenOf(pid)) if (isEarlier(find(child), pid)) visit(child);
  };
  for (const pid of pids) {
    const member = find(pid);
    if (member === undefined || member.ended !== undefined) throw new KorriganError('KRG_NO_SUCH_PROCESS', `process ${pid} has ended`);
    visit(pid);
    if (withChildren) for (const child of table.childrenOf(pid)) visit(child);
  }
  return [...found.values()];
}

/** Was a child of this session leader born before its session was? It can be made only then. */
function isEarlier(child: Member | undefined, leader: number): boolean {
  return child !== undefined && child.session !== leader && child.session !== child.pid;
}

/**
 * Husks that a node no longer needs: those whose process has its home elsewhere and that are no relative of a process that runs here or has its home
 * here. In the order in which they can go: children before parents.
 * @param here every process and husk of the node
 * @param isHusk whether one of them is a husk
 * @param isHome whether a pid belongs to this node: its husk stays as long as the process lives
 */
export function superfluousHusks(here: readonly Member[], isHusk: (pid: number) => boolean, isHome: (pid: number) => boolean): number[] {
  const table = tableOf(here);
  const living = here.filter((member) => member.ended === undefined && member.pid > INIT_PID);
  const real = living.filter(({ pid }) => !isHusk(pid)).map(({ pid }) => pid);
  const kept = living.filter(({ pid }) => isHusk(pid) && isHome(pid)).map(({ pid }) => pid);
  const needed = new Set([...relativesOf(real, table), ...relativesOf(kept, table, false)].map(({ pid }) => pid));
  const superfluous = living.filter(({ pid }) => isHusk(pid) && !needed.has(pid));
  return childrenFirst(superfluous);
}

/** A table over a list. */
export function tableOf(members: readonly Member[]): ProcessTable {
  const byPid = new Map(members.map((member) => [member.pid, member]));
  const children = new Map<number, number[]>();
  for (const { pid, parent } of members) {
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [pid]);
    else siblings.push(pid);
  }
  return { find: (pid) => byPid.get(pid), childrenOf: (pid) => children.get(pid) ?? [] };
}

function childrenFirst(members: readonly Member[]): number[] {
  const table = tableOf(members);
  const order: number[] = [];
  const visit = (pid: number): void => {
    for (const child of table.childrenOf(pid)) visit(child);
    order.push(pid);
  };
  for (const { pid, parent } of members) if (table.find(parent) === undefined) visit(pid);
  return order;
}
