/** Which node is meant, and whether it can do what is asked of it. */
import type { Membership, NodeRecord } from '../../hotplug/index.ts';
import { KorriganError } from '../../linux/errors.ts';
import type { NodeState } from '../api/types.ts';

/** @throws KorriganError KRG_NO_SUCH_NODE, KRG_NODE_LOST, KRG_NODE_NOT_PRESENT */
export function upNode(membership: Membership, reference: string): NodeRecord {
  const node = membership.find(reference);
  if (node.state !== 'possible') return node;
  if (isLost(node)) throw new KorriganError('KRG_NODE_LOST', `${node.name} was declared dead, and what ran there has ended with it`);
  throw new KorriganError('KRG_NODE_NOT_PRESENT', `${node.name} is not up; start its daemon first`);
}

/** @param answers its daemon has just answered */
export function shownState(node: NodeRecord, answers: boolean): NodeState {
  const takesPart = node.state === 'online' || node.state === 'leaving';
  if (takesPart && !answers) return 'unreachable';
  return isLost(node) ? 'dead' : node.state;
}

/** Was it declared dead, and has not been up since? */
export function isLost({ state, life, lost }: NodeRecord): boolean {
  return state === 'possible' && lost !== undefined && lost === life;
}

/** One that takes new processes. @throws KorriganError as {@link upNode}; KRG_NODE_NOT_ONLINE, KRG_NODE_LEAVING */
export function memberFor(membership: Membership, reference: string): NodeRecord {
  const node = upNode(membership, reference);
  checkTakesNew(node);
  return node;
}

/** @throws KorriganError KRG_NODE_NOT_ONLINE, KRG_NODE_LEAVING */
export function checkTakesNew({ name, state }: NodeRecord): void {
  if (state === 'leaving') throw new KorriganError('KRG_NODE_LEAVING', `${name} is being emptied and takes nothing new`);
  if (state !== 'online')
    throw new KorriganError('KRG_NODE_NOT_ONLINE', `${name} is ${state} and takes no part in the cluster; krg add ${name} changes that`);
}

/** Where a program starts when no node is named: on this one, if it takes any. */
export function firstMember(membership: Membership): number | undefined {
  if (membership.self.state === 'online') return membership.self.id;
  return membership.members.find(({ state }) => state === 'online')?.id;
}
