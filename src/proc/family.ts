/**
 * Which husks a node must make before processes can arrive there, in which order. Pure: from what the source says about the family and
 * which husks the node has, to a list of steps or a refusal that names the relative in the way.
 *
 * First cut: a process that arrives on a node for the first time comes with its whole tree, whose root is a child of init. On its return
 * everything is there natively.
 */
import { KorriganError } from '../linux/index.ts';

/** Pid of the container's init; children of init have the same parent on every node. */
export const INIT = 1;

/** Relations of one process, by cluster-wide pids. */
export interface Relations {
  pid: number;
  parent: number;
  group: number;
  session: number;
  /** What its parent gets at its end; SIGCHLD as a rule. */
  exitSignal: number;
  /** Children that are no part of the move. */
  childrenLeft: number[];
}

export type FamilyStep =
  /** The process has a husk here, which becomes it again. */
  | { kind: 'return'; pid: number }
  /** A new child of init. */
  | { kind: 'spawn'; pid: number }
  /** A new child of a process that was made before. */
  | { kind: 'fork'; pid: number; parent: number; exitSignal: number }
  | { kind: 'new-session'; pid: number }
  | { kind: 'join-group'; pid: number; group: number };

function refuse(pid: number, why: string): never {
  throw new KorriganError(
    'KRG_NOT_MOVABLE',
    `process ${pid} cannot move alone: ${why}; move the whole tree (--tree from its topmost process)`,
  );
}

/**
 * @param moving the processes of one move
 * @param here pids that have a husk on this node
 * @throws KorriganError KRG_NOT_MOVABLE
 */
export function planFamily(moving: readonly Relations[], here: ReadonlySet<number>): FamilyStep[] {
  const byPid = new Map(moving.map((process) => [process.pid, process]));
  const steps: FamilyStep[] = [];
  const made = new Set<number>();
  const make = (process: Relations): void => {
    if (made.has(process.pid)) return;
    const parent = byPid.get(process.parent);
    if (parent !== undefined) make(parent);
    made.add(process.pid);
    steps.push(...arrival(process, parent, here));
  };
  for (const process of moving) make(process);
  // Groups are joined when all leaders exist; a session leader is its group's leader by birth.
  for (const { pid, group, session } of moving) {
    if (here.has(pid) || session === pid) continue;
    if (group !== pid && !byPid.has(group) && !here.has(group)) refuse(pid, `the leader of its process group (${group}) stays`);
    steps.push({ kind: 'join-group', pid, group });
  }
  return steps;
}

function arrival(process: Relations, parent: Relations | undefined, here: ReadonlySet<number>): FamilyStep[] {
  const { pid, session, childrenLeft } = process;
  if (here.has(pid)) return [{ kind: 'return', pid }];
  const missing = childrenLeft.find((child) => !here.has(child));
  if (missing !== undefined) refuse(pid, `its child ${missing} stays`);
  if (parent === undefined && process.parent !== INIT) refuse(pid, `its parent ${process.parent} stays`);
  const birth: FamilyStep =
    parent === undefined ? { kind: 'spawn', pid } : { kind: 'fork', pid, parent: parent.pid, exitSignal: process.exitSignal };
  if (session === pid) return [birth, { kind: 'new-session', pid }];
  if (parent === undefined || parent.session !== session)
    refuse(pid, `it belongs to session ${session}, which its parent does not lead it into`);
  return [birth];
}
