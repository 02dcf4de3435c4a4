/**
 * Group proxies: husks that stand for nobody. A member of a process group that was born on another node has no husk here, and kill(2) of the
 * group would not reach it. One proxy per group, a child of init, records what is sent to the group as such; nothing else can reach it.
 */
import type { HuskStep } from './husk-plan.ts';
import { INIT_PID, type Member } from './relatives.ts';

export interface ProxyPlan {
  /** Groups that need a proxy, and the husk that makes it. */
  readonly missing: readonly { readonly group: number; readonly creator: number }[];
  /** Proxies whose group has nobody left who concerns other nodes. */
  readonly superfluous: readonly number[];
}

/**
 * @param here every process and husk of the node
 * @param husks those of them that stand for processes elsewhere
 * @param visitors processes of other homes that run here
 * @param proxies the proxy of each group that has one
 */
export function planProxies(
  here: readonly Member[],
  husks: ReadonlySet<number>,
  visitors: ReadonlySet<number>,
  proxies: ReadonlyMap<number, number>,
): ProxyPlan {
  const living = here.filter(({ pid, ended }) => ended === undefined && pid > INIT_PID);
  const concerned = living.filter(({ pid }) => husks.has(pid) || visitors.has(pid));
  const groups = new Map(concerned.map(({ group, session }) => [group, session]));
  // A pid of 0 stands for a leader outside the container, and init's own group takes no part.
  groups.delete(0);
  groups.delete(INIT_PID);
  const missing = [...groups].flatMap(([group, session]) => {
    if (proxies.has(group)) return [];
    const inSession = living.filter((member) => husks.has(member.pid) && member.session === session);
    const creator = inSession.find((member) => member.group === group) ?? inSession[0];
    return creator === undefined ? [] : [{ group, creator: creator.pid }];
  });
  return { missing, superfluous: [...proxies].filter(([group]) => !groups.has(group)).map(([, pid]) => pid) };
}

/** The number by which {@link proxySteps} name the proxy, which may get any pid. */
export const PROXY = -2;
const BETWEEN = -1;

/** The creator's grandchild becomes init's child when the one between has ended. */
export function proxySteps(group: number, creator: number): HuskStep[] {
  return [
    { kind: 'clone', pid: BETWEEN, creator, sibling: false, temporary: true },
    { kind: 'clone', pid: PROXY, creator: BETWEEN, sibling: false, temporary: true },
    { kind: 'setpgid', pid: PROXY, group },
    { kind: 'end', pid: BETWEEN, reaper: creator },
  ];
}
