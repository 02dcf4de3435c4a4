/** The capabilities of the processes of a node: read, changed, disabled for a time, and asked for by those who act on a process. */
import { basename } from 'node:path';
import { isKorriganError, KorriganError, readProcessLink, readStat, readStatus } from '../linux/index.ts';
import { type Disabled, type Given, givenIn, groupNameFor, MOST_DISABLED, NOT_DISABLED, type Owner, splitPath } from './group-name.ts';
import {
  type CapabilitySet,
  type CapabilitySets,
  contains,
  type DisableableCapability,
  type SetChange,
  setOf,
  SUPPORTED_NAMES,
  type SupportedCapability,
} from './names.ts';
import type { Denial, Policy, Subject } from './policy.ts';
import { baseGroupOf, groupPathOf, place } from './placement.ts';
import { lacking, refused } from './refusals.ts';
import { changed, judge } from './sets.ts';

export interface CapabilitiesOptions {
  readonly policy: Policy;
  /** Host pid of a process (or thread) of the container. */
  readonly hostPidOf: (pid: number) => number | undefined;
  readonly containerPidOf: (hostPid: number) => number | undefined;
  /** What is being done to the process just now takes these. */
  readonly inUse: (pid: number) => CapabilitySet;
  /** Is it on its way from or to this node? What would be written now may stay behind. */
  readonly isMoving: (pid: number) => boolean;
}

/** What is known of the capabilities of a process. */
export interface ProcessCapabilities {
  readonly pid: number;
  readonly sets: CapabilitySets;
  /** False: nobody has given it any, so that it has what the configuration says. */
  readonly isGiven: boolean;
  readonly disabled: Disabled;
  readonly denied: readonly Denial[];
}

interface Found extends Owner {
  readonly hostPid: number;
}

/** Pid 1 and what stands in for processes of other nodes have none. */
const INIT = 1;

export class Capabilities {
  private readonly options: CapabilitiesOptions;

  constructor(options: CapabilitiesOptions) {
    this.options = options;
  }

  /** Of a program that is started without any of its own. */
  get initial(): CapabilitySets {
    return this.options.policy.setsOf(undefined);
  }

  /** @throws KorriganError KRG_NO_SUCH_PROCESS */
  of(pid: number): ProcessCapabilities {
    const found = this.find(pid);
    const { given, sets } = this.read(found);
    const { policy } = this.options;
    const denied = policy.hasRules ? policy.denialsFor(subjectOf(found.hostPid)) : [];
    return { pid: found.pid, sets, isGiven: given !== undefined, disabled: given?.disabled ?? NOT_DISABLED, denied };
  }

  /** Raised, allowed by the configuration, and not disabled. @throws KorriganError KRG_NO_SUCH_PROCESS */
  has(pid: number, capability: SupportedCapability): boolean {
    const { policy } = this.options;
    const hostPid = this.options.hostPidOf(pid);
    // The usual case costs one file of /proc.
    if (hostPid !== undefined && !policy.hasRules) {
      const path = groupPathOf(hostPid);
      if (path !== undefined && splitPath(path).name === undefined) return contains(policy.setsOf(undefined).effective, setOf(capability));
    }
    return lacking(this.of(pid), capability) === undefined;
  }

  /**
   * For who is about to do something to a process.
   * @param action what: `be moved`
   * @throws KorriganError KRG_CAPABILITY_MISSING, which says how to grant it; KRG_NO_SUCH_PROCESS
   */
  check(pid: number, capability: SupportedCapability, action: string): void {
    if (this.has(pid, capability)) return;
    const found = this.of(pid);
    const reason = lacking(found, capability);
    if (reason === undefined) return;
    throw new KorriganError('KRG_CAPABILITY_MISSING', `process ${pid} may not ${action}: ${reason}`);
  }

  /** Moving it is asked for, by a user or a scheduler. @throws as {@link Capabilities.check} */
  checkMigrate(pid: number): void {
    this.check(pid, 'CAN_MIGRATE', 'be moved');
  }

  /** @throws as {@link Capabilities.check} */
  checkCheckpoint(pid: number): void {
    this.check(pid, 'CHECKPOINTABLE', 'be checkpointed');
  }

  /** May what it forks be placed on another node? One that may not forks here. */
  mayForkAway(pid: number): boolean {
    return this.has(pid, 'DISTANT_FORK');
  }

  /** Does /proc show it this node alone? Not one that has just ended. */
  seesLocalProcStat(pid: number): boolean {
    try {
      return this.has(pid, 'SEE_LOCAL_PROC_STAT');
    } catch (error) {
      if (isKorriganError(error, 'KRG_NO_SUCH_PROCESS')) return false;
      throw error;
    }
  }

  /**
   * @param uid of the caller, as kill(2) sees it
   * @throws KorriganError KRG_BAD_REQUEST (EINVAL), KRG_NOT_SUPPORTED (ENOSYS), KRG_NOT_YOUR_PROCESS, KRG_CAPABILITY_MISSING (EPERM),
   * KRG_PROCESS_BUSY (EBUSY), KRG_NO_SUCH_PROCESS, KRG_PROCESS_ELSEWHERE while it moves
   */
  change(pid: number, uid: number, changes: readonly SetChange[]): ProcessCapabilities {
    const found = this.find(pid);
    const { given, sets: present } = this.read(found);
    const verdict = judge({
      present,
      requested: changed(present, changes),
      isInside: true,
      isAllowed: isAllowed(uid, found.hostPid),
      inUse: this.options.inUse(found.pid),
    });
    if (verdict.kind !== 'granted') throw refused(found.pid, verdict);
    this.write(found, { sets: verdict.sets, disabled: given?.disabled ?? NOT_DISABLED });
    return this.of(found.pid);
  }

  /**
   * Counts: what is disabled twice has to be enabled twice. The process's own, and not its children's.
   * @throws KorriganError KRG_NOT_YOUR_PROCESS, KRG_PROCESS_BUSY while it is in use, KRG_LIMIT, KRG_NO_SUCH_PROCESS
   */
  disable(pid: number, uid: number, capability: DisableableCapability): ProcessCapabilities {
    const found = this.find(pid);
    if (contains(this.options.inUse(found.pid), setOf(capability)))
      throw new KorriganError('KRG_PROCESS_BUSY', `${capability} of process ${pid} is in use just now; try again when that is over`);
    return this.count(found, uid, capability, 1);
  }

  /** @throws as {@link Capabilities.disable}; KRG_BAD_REQUEST when it is not disabled */
  enable(pid: number, uid: number, capability: DisableableCapability): ProcessCapabilities {
    return this.count(this.find(pid), uid, capability, -1);
  }

  /** @throws KorriganError KRG_NOT_YOUR_PROCESS: what a process may do is shown to those who may change it, as in Kerrighed */
  checkRights(pid: number, uid: number): void {
    const { hostPid } = this.find(pid);
    if (!isAllowed(uid, hostPid)) throw refused(pid, { kind: 'no-rights', errno: 'EPERM' });
  }

  private count(found: Found, uid: number, capability: DisableableCapability, step: 1 | -1): ProcessCapabilities {
    const { pid, hostPid } = found;
    if (!isAllowed(uid, hostPid)) throw refused(pid, { kind: 'no-rights', errno: 'EPERM' });
    const { given, sets } = this.read(found);
    const disabled = given?.disabled ?? NOT_DISABLED;
    const times = disabled[capability] + step;
    if (times < 0) throw new KorriganError('KRG_BAD_REQUEST', `${capability} of process ${pid} is not disabled`);
    if (times > MOST_DISABLED)
      throw new KorriganError(
        'KRG_LIMIT',
        `${capability} of process ${pid} is disabled ${MOST_DISABLED} times already, and cannot be more often`,
      );
    this.write(found, { sets, disabled: { ...disabled, [capability]: times } });
    return this.of(pid);
  }

  private find(asked: number): Found {
    const gone = new KorriganError('KRG_NO_SUCH_PROCESS', `the cluster has no process ${asked} (krg ps lists them)`);
    const thread = asked === INIT ? undefined : this.options.hostPidOf(asked);
    const hostPid = Number(thread === undefined ? 0 : (readStatus(thread)?.get('Tgid') ?? 0));
    const pid = hostPid === thread ? asked : this.options.containerPidOf(hostPid);
    const startTime = readStat(hostPid)?.startTime;
    if (pid === undefined || startTime === undefined || hostPid === 0) throw gone;
    return { pid, hostPid, startTime };
  }

  private read(found: Found): { given: Given | undefined; sets: CapabilitySets } {
    const { policy } = this.options;
    const given = givenIn(groupPathOf(found.hostPid) ?? '', found);
    return { given, sets: given?.sets ?? policy.setsOf(policy.hasRules ? subjectOf(found.hostPid) : undefined) };
  }

  private write(found: Found, given: Given): void {
    const { pid, hostPid } = found;
    if (this.options.isMoving(pid))
      throw new KorriganError('KRG_PROCESS_ELSEWHERE', `process ${pid} is on its way from one node to another; try again`);
    const base = baseGroupOf(hostPid);
    const group = base?.child(groupNameFor(given, found));
    if (group === undefined) throw new KorriganError('KRG_NO_SUCH_PROCESS', `process ${pid} has just ended`);
    try {
      place(hostPid, group);
    } catch (cause) {
      group.removeIfEmpty();
      throw notPlaced(pid, cause);
    }
    for (const sibling of base?.children() ?? []) if (splitPath(sibling.path).name !== undefined) sibling.removeIfEmpty();
  }
}

function notPlaced(pid: number, cause: unknown): KorriganError {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ESRCH') return new KorriganError('KRG_NO_SUCH_PROCESS', `process ${pid} has just ended`, { cause });
  return new KorriganError(
    'KRG_NOT_SUPPORTED',
    `the capabilities of process ${pid} cannot be changed: its control group takes no groups with processes below it (${(cause as Error).message})`,
    { cause },
  );
}

/** As kill(2): root, and who is the real or the saved user of the process. */
function isAllowed(uid: number, hostPid: number): boolean {
  const [real, , saved] = (readStatus(hostPid)?.get('Uid') ?? '').split(/\s+/).map(Number);
  return uid === 0 || uid === real || uid === saved;
}

function subjectOf(hostPid: number): Subject {
  const [user = 0] = (readStatus(hostPid)?.get('Uid') ?? '').split(/\s+/).map(Number);
  const executable = readProcessLink(hostPid, 'exe');
  const name = readStat(hostPid)?.command;
  return {
    user,
    commands: [...(name === undefined ? [] : [name]), ...(executable === undefined ? [] : [basename(executable)])],
    cgroup: /\/processes(\/.*)$/.exec(splitPath(groupPathOf(hostPid) ?? '').base)?.[1] ?? '/',
  };
}

/** All supported ones by whether they count for the process. */
export function effectiveNames(capabilities: ProcessCapabilities): SupportedCapability[] {
  return SUPPORTED_NAMES.filter((name) => lacking(capabilities, name) === undefined);
}
