/** What a change of the cluster's record means to the objects. Pure. */
import { membersOf, type NodeRecord, type View } from '../../hotplug/index.ts';
import type { NodeId } from '../../rpc/index.ts';
import type { Change } from '../events.ts';

/** Names the memory of a node: it is lost with the node, and with its daemon alone as well. */
export function lifeOf({ life, daemon = '' }: Pick<NodeRecord, 'life' | 'daemon'>): string {
  return `${life}/${daemon}`;
}

const NOT_UP = lifeOf({ life: '' });

/** The lives of the members. */
export function livesOf(view: View): Map<NodeId, string> {
  const members = new Set(membersOf(view));
  return new Map(view.nodes.filter(({ id }) => members.has(id)).map((node) => [node.id, lifeOf(node)]));
}

/**
 * Members of whom another daemon answers now, or none, have died with all that they held. Who is not a member any more and lives, leaves.
 * @param before what this node was taken to
 */
export function changeOf(before: View, after: View): Change {
  const [earlier, now] = [livesOf(before), livesOf(after)];
  // A member of a new cluster that has not come up yet has nothing to lose.
  const gone = [...earlier].filter(([id, life]) => life !== NOT_UP && now.get(id) !== life).map(([id, life]) => ({ id, life }));
  const isLeaving = ({ id, life }: { id: NodeId; life: string }): boolean => {
    const node = after.nodes.find((candidate) => candidate.id === id);
    return node !== undefined && !now.has(id) && lifeOf(node) === life && node.lost !== node.life;
  };
  return {
    epoch: after.epoch,
    members: [...now.keys()],
    dead: gone.filter((node) => !isLeaving(node)).map(({ id }) => id),
    leaving: gone.filter(isLeaving).map(({ id }) => id),
  };
}
