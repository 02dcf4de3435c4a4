/**
 * How a node comes to have a family: the steps by which husks are made so that parents, sessions and groups are exactly as they are elsewhere.
 * Pure. The kernel's rules (kernel/fork.c, kernel/sys.c): a child is born into its parent's session and group; a session is left only by leading
 * a new one; a group is joined only within the session; a leader that has ended can be stood in for while others join; a session's terminal is
 * taken by its leader, and those have it who are born later.
 */
import { KorriganError } from '../linux/index.ts';
import { INIT_PID, type Member } from './relatives.ts';

/** One step. Temporary processes that may get any pid are named by negative numbers. */
export type HuskStep =
  /** `creator` makes husk `pid`: its child, or with `sibling` the child of its own parent. */
  | { readonly kind: 'clone'; readonly pid: number; readonly creator: number; readonly sibling: boolean; readonly temporary: boolean }
  | { readonly kind: 'setsid'; readonly pid: number }
  | { readonly kind: 'setpgid'; readonly pid: number; readonly group: number }
  /** The leader of a session takes a new terminal, by preference with this number. */
  | { readonly kind: 'terminal'; readonly pid: number; readonly number: number }
  /** A temporary process ends; `reaper` collects it, unless that is init. */
  | { readonly kind: 'end'; readonly pid: number; readonly reaper: number }
  /** A husk becomes the zombie of a process that has ended with this wait status. */
  | { readonly kind: 'die'; readonly pid: number; readonly status: number };

export interface HuskPlanOptions {
  /** The family as it must become; see {@link relativesOf}. */
  readonly wanted: readonly Member[];
  /** Every process and husk of the node, the template included. */
  readonly here: readonly Member[];
  /** Which of those are husks. */
  readonly isHusk: (pid: number) => boolean;
  /** A husk that is a child of init, in init's session. */
  readonly template: number;
  /** Those of the family that are to run here: the terminals of sessions whose leaders do come with them. */
  readonly moving?: readonly number[];
}

interface Present {
  parent: number;
  group: number;
  session: number;
  husk: boolean;
  terminal: number | undefined;
}

/** Stands for any session where one is asked for. */
type BirthSession = number | undefined;

/**
 * @throws KorriganError KRG_NOT_MOVABLE when no sequence of steps leads there, KRG_PROCESS_BUSY when what is here contradicts what is wanted, so
 * that one of both is about to change
 */
export function planHusks(options: HuskPlanOptions): HuskStep[] {
  return new Planner(options).plan();
}

class Planner {
  private readonly wanted: ReadonlyMap<number, Member>;
  private readonly template: number;
  private readonly moving: ReadonlySet<number>;
  private readonly present = new Map<number, Present>();
  private readonly missingChildren = new Map<number, Member[]>();
  private readonly births = new Map<number, BirthSession>();
  private readonly steps: HuskStep[] = [];
  private readonly temporaries: { pid: number; reaper: number }[] = [];
  private nextTemporary = -1;

  constructor({ wanted, here, isHusk, template, moving = [] }: HuskPlanOptions) {
    this.template = template;
    this.moving = new Set(moving);
    checkChildren(wanted, moving, here);
    this.wanted = new Map(wanted.map((member) => [member.pid, member]));
    this.present.set(INIT_PID, { parent: 0, group: INIT_PID, session: INIT_PID, husk: false, terminal: undefined });
    for (const { pid, parent, group, session, ended, terminal } of here) {
      this.present.set(pid, { parent, group, session, husk: ended === undefined && isHusk(pid), terminal });
    }
    for (const member of wanted) {
      if (this.present.has(member.pid)) continue;
      const siblings = this.missingChildren.get(member.parent) ?? [];
      this.missingChildren.set(member.parent, [...siblings, member]);
    }
  }

  plan(): HuskStep[] {
    const inTheirPlace = [...this.wanted.values()].filter(({ pid }) => this.present.has(pid));
    inTheirPlace.forEach((member) => this.checkParent(member));
    inTheirPlace.forEach(({ pid }) => this.completeChildren(pid));
    this.makeChildrenOfInit(this.missingChildren.get(INIT_PID) ?? []);
    const homeless = [...this.wanted.values()].find(({ pid }) => !this.present.has(pid));
    if (homeless !== undefined) refuse(homeless.pid, `its parent ${homeless.parent} has no place there`);
    this.checkTerminals();
    this.formGroups();
    for (const { pid, reaper } of this.temporaries.toReversed()) this.end(pid, reaper);
    for (const { pid, ended } of this.wanted.values()) {
      if (ended !== undefined && !inTheirPlace.some((member) => member.pid === pid)) this.steps.push({ kind: 'die', pid, status: ended });
    }
    return this.steps;
  }

  private checkParent({ pid, parent }: Member): void {
    const here = this.at(pid).parent;
    if (here !== parent) busy(`process ${pid} is a child of ${parent}, yet on the target node of ${here}`);
  }

  private bringsTerminal(leader: number): boolean {
    return this.moving.has(leader) && this.wanted.get(leader)?.session === leader && this.wanted.get(leader)?.terminal !== undefined;
  }

  /** Before the members of the session are made. */
  private takeTerminal(leader: number): void {
    const number = this.wanted.get(leader)?.terminal;
    if (number === undefined || !this.bringsTerminal(leader) || this.at(leader).terminal !== undefined) return;
    this.steps.push({ kind: 'terminal', pid: leader, number });
    this.at(leader).terminal = number;
  }

  private checkTerminals(): void {
    for (const { pid, session, terminal } of this.wanted.values()) {
      if (!this.moving.has(pid) || !this.bringsTerminal(session)) continue;
      if (terminal === undefined && this.at(pid).terminal !== undefined)
        refuse(pid, `it has not got the terminal of its session ${session}, as its leader has`);
      if (terminal !== undefined && this.at(pid).terminal === undefined)
        refuse(pid, `it was left on the target node without the terminal of its session ${session}`);
    }
  }

  /** The session in which a process must be born: its own, or that which it left after it had made children there. */
  private birthOf(member: Member): BirthSession {
    if (this.births.has(member.pid)) return this.births.get(member.pid);
    let birth: BirthSession = member.session === member.pid ? undefined : member.session;
    if (birth === undefined) {
      for (const child of this.missingChildren.get(member.pid) ?? []) {
        const needed = this.birthOf(child);
        if (needed === undefined || needed === member.pid) continue;
        if (birth !== undefined && birth !== needed) refuse(member.pid, `its children are from two other sessions, ${birth} and ${needed}`);
        birth = needed;
      }
    }
    this.births.set(member.pid, birth);
    return birth;
  }

  /** Makes the missing children of a process that is here, before and after it leads its own session. */
  private completeChildren(pid: number): void {
    const wanted = this.wanted.get(pid);
    const children = this.missingChildren.get(pid) ?? [];
    const here = this.at(pid);
    const later: Member[] = [];
    const leads = wanted?.session === pid && here.session !== pid;
    if (!leads) this.takeTerminal(pid);
    for (const child of children) {
      const birth = this.birthOf(child);
      if (birth === here.session) this.makeChild(child, pid);
      else if (leads || birth === undefined) later.push(child);
      else refuse(child.pid, `it is in session ${birth}, which its parent ${pid} has never been in`);
    }
    if (leads) {
      if (!here.husk) busy(`process ${pid} leads a session, yet on the target node it does not`);
      this.steps.push({ kind: 'setsid', pid });
      Object.assign(here, { session: pid, group: pid, terminal: undefined });
      this.takeTerminal(pid);
    } else if (wanted !== undefined && wanted.session !== here.session) {
      busy(`process ${pid} is in session ${wanted.session}, yet on the target node in ${here.session}`);
    }
    for (const child of later) {
      const birth = this.birthOf(child);
      if (birth !== undefined && birth !== here.session)
        refuse(child.pid, `it is in session ${birth}, which its parent ${pid} has never been in`);
      this.makeChild(child, pid);
    }
  }

  private makeChild(child: Member, parent: number): void {
    if (!this.at(parent).husk)
      refuse(child.pid, `its parent ${parent} runs on the target node, where a child that was born elsewhere cannot be added`);
    this.clone(child.pid, parent, false, false);
    this.completeChildren(child.pid);
  }

  /** Orphans may be in any session: it must exist when they are made. */
  private makeChildrenOfInit(members: readonly Member[]): void {
    let waiting = [...members];
    while (waiting.length > 0) {
      const before = waiting.length;
      waiting = waiting.filter((member) => !this.makeChildOfInit(member));
      if (waiting.length < before) continue;
      const [first] = waiting;
      if (first !== undefined) refuse(first.pid, `its session ${this.birthOf(first)} cannot be entered on the target node`);
    }
  }

  /** @returns false when its session is still to come */
  private makeChildOfInit(member: Member): boolean {
    const birth = this.birthOf(member);
    if (birth === undefined || birth === INIT_PID) {
      this.clone(member.pid, this.template, true, false);
    } else {
      const creator = this.memberOf(birth);
      if (creator === undefined) {
        if (this.wanted.has(birth)) return false;
        if (this.sessionExists(birth)) refuse(member.pid, `its session ${birth} has no husk on the target node from which to enter it`);
        this.makeTemporaryLeader(birth);
        return this.makeChildOfInit(member);
      }
      if (this.at(creator).parent === INIT_PID) {
        this.clone(member.pid, creator, true, false);
      } else {
        const between = this.nextTemporary--;
        this.clone(between, creator, false, true);
        this.clone(member.pid, between, false, false);
        this.end(between, creator);
        this.at(member.pid).parent = INIT_PID;
      }
    }
    this.completeChildren(member.pid);
    return true;
  }

  /** A husk from which a session can be entered, best a child of init. */
  private memberOf(session: number): number | undefined {
    const members = [...this.present].filter(([, member]) => member.husk && member.session === session);
    return (members.find(([, member]) => member.parent === INIT_PID) ?? members[0])?.[0];
  }

  private sessionExists(session: number): boolean {
    return [...this.present.values()].some((member) => member.session === session);
  }

  private makeTemporaryLeader(session: number): void {
    this.clone(session, this.template, true, true);
    this.steps.push({ kind: 'setsid', pid: session });
    Object.assign(this.at(session), { session, group: session, terminal: undefined });
    this.temporaries.push({ pid: session, reaper: INIT_PID });
  }

  private formGroups(): void {
    const movers = [...this.wanted.values()].filter(({ pid, group }) => this.at(pid).group !== group);
    const real = movers.find(({ pid }) => !this.at(pid).husk);
    if (real !== undefined) busy(`process ${real.pid} is in group ${real.group}, yet on the target node in ${this.at(real.pid).group}`);
    for (const mover of movers) this.found(mover);
    // Who founded a group that others join leaves it after them.
    let waiting = [...this.wanted.values()].filter(({ pid, group }) => this.at(pid).group !== group);
    while (waiting.length > 0) {
      const wantedGroups = new Set(waiting.map(({ group }) => group));
      const next = waiting.find(({ pid }) => !wantedGroups.has(pid)) ?? this.anchored(waiting);
      this.join(next.pid, next.group);
      waiting = waiting.filter((mover) => mover !== next);
    }
  }

  /** Founders that want into each other's groups: a temporary child holds the group of the first one that leaves. */
  private anchored([first]: readonly Member[]): Member {
    if (first === undefined) throw new Error('somebody waits');
    const anchor = this.nextTemporary--;
    this.clone(anchor, first.pid, false, true);
    this.temporaries.push({ pid: anchor, reaper: first.pid });
    return first;
  }

  /** Sees to it that the group which a process wants to join exists in its session. */
  private found({ pid, group }: Member): void {
    const { session } = this.at(pid);
    if ([...this.present.values()].some((member) => member.group === group && member.session === session)) return;
    const leader = this.present.get(group);
    if (leader === undefined) {
      // A number that is in use cannot be given to anybody, not for a moment.
      if (this.sessionExists(group)) refuse(pid, `its group ${group} has no member on the target node, and its session's number is taken`);
      this.clone(group, pid, false, true);
      this.temporaries.push({ pid: group, reaper: pid });
    } else if (leader.session !== session) {
      busy(`group ${group} of process ${pid} does not exist on the target node, though its leader does`);
    } else if (!leader.husk) {
      refuse(pid, `its group's number is taken by process ${group}, which has left that group and runs on the target node`);
    }
    this.join(group, group);
  }

  private join(pid: number, group: number): void {
    this.steps.push({ kind: 'setpgid', pid, group });
    this.at(pid).group = group;
  }

  private clone(pid: number, creator: number, sibling: boolean, temporary: boolean): void {
    const { group, session, parent, terminal } = this.at(creator);
    this.steps.push({ kind: 'clone', pid, creator, sibling, temporary });
    this.present.set(pid, { parent: sibling ? parent : creator, group, session, husk: true, terminal });
  }

  private end(pid: number, reaper: number): void {
    this.steps.push({ kind: 'end', pid, reaper });
    this.present.delete(pid);
  }

  private at(pid: number): Present {
    const present = this.present.get(pid);
    if (present === undefined) throw new Error(`process ${pid} is not there yet`);
    return present;
  }
}

/** Whoever runs here finds the children that it had elsewhere, no other ones, and each as it was. Husks of the living that have gone are collected. */
function checkChildren(wanted: readonly Member[], moving: readonly number[], here: readonly Member[]): void {
  const known = new Map(wanted.map((member) => [member.pid, member]));
  for (const { pid, parent, ended } of here) {
    const member = known.get(pid);
    if (member !== undefined && member.ended === undefined && ended !== undefined)
      busy(`the husk of process ${pid} has ended on the target node and is just being collected`);
    if (!moving.includes(parent)) continue;
    if (member === undefined) busy(`process ${pid}, a child of ${parent}, was collected, yet not on the target node`);
    if (member.ended !== undefined && ended === undefined) busy(`process ${pid}, a child of ${parent}, has ended on one node only`);
  }
}

function refuse(pid: number, why: string): never {
  throw new KorriganError('KRG_NOT_MOVABLE', `process ${pid} cannot be given its place in the family: ${why}`);
}

function busy(what: string): never {
  throw new KorriganError('KRG_PROCESS_BUSY', `${what}; the family is changing, try again`);
}
