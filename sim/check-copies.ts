/** Looks at all nodes at once, after every step: who may write excludes all others who may read, and what is held stays where it is. */
import { type Entry, isReadable, isWritable, type KddmNode, type KddmSet, type NodeId } from '../src/kddm/index.ts';

interface Held {
  readonly node: NodeId;
  readonly set: KddmSet;
  readonly entry: Entry;
}

/** @param serving the nodes that may serve their users now @returns a description of the violation, or `undefined` */
export function checkCopies(serving: readonly KddmNode[]): string | undefined {
  const objects = new Map<string, Held[]>();
  for (const node of serving) {
    for (const set of node.sets()) {
      for (const entry of set.entries.values()) {
        const held = { node: node.self, set, entry };
        const violation = checkEntry(held);
        if (violation !== undefined) return violation;
        if (!isReadable(entry.state)) continue;
        const key = `${set.record.set}/${entry.object}`;
        const others = objects.get(key);
        if (others === undefined) objects.set(key, [held]);
        else others.push(held);
      }
    }
  }
  for (const [key, held] of objects) {
    const writer = held.find(({ entry }) => isWritable(entry.state));
    const other = held.find((one) => one !== writer);
    if (writer !== undefined && other !== undefined) {
      return `object ${key} is ${writer.entry.state} on node ${writer.node} and ${other.entry.state} on node ${other.node}`;
    }
  }
  return undefined;
}

function checkEntry({ node, set, entry }: Held): string | undefined {
  const what = `object ${set.record.set}/${entry.object} on node ${node}`;
  if (entry.grabbed > 0 && entry.state !== 'WRITE_OWNER' && entry.state !== 'INV_FILLING') return `${what} is grabbed and ${entry.state}`;
  if (entry.frozen > 0 && !isReadable(entry.state) && entry.state !== 'INV_FILLING') return `${what} is held and ${entry.state}`;
  if (isReadable(entry.state) && entry.content === undefined) return `${what} is ${entry.state} without content`;
  if (set.record.isExclusive && entry.frozen > 1) return `${what}, which is exclusive, is held by ${entry.frozen} users`;
  return undefined;
}
