/**
 * What the living keep of objects when a node dies, and as long as some of them have not heard of it: those may still give up what they keep, for a copy that is evicted or
 * invalidated relies on an owner that is dead already. No protocol without replicas can help that, however it asks before.
 */
import type { KddmNode, NodeId } from '../src/kddm/index.ts';

export interface Living {
  readonly id: NodeId;
  readonly node: KddmNode | undefined;
}

interface Death {
  readonly ignorant: Set<NodeId>;
  /** What is done when nobody keeps the object any more, by object. */
  readonly kept: Map<string, () => void>;
}

/** @returns the objects, as `set/object`, whose content somebody has, or has sent to somebody who lives and has not got it */
export function keptBy(living: readonly Living[]): Set<string> {
  const kept = new Set<string>();
  /** The latest in which somebody who lives was the owner: what was sent at the end of an earlier one has arrived, though its sender may not know. */
  const terms = new Map<string, number>();
  const sent: { readonly key: string; readonly term: number }[] = [];
  for (const { node } of living) {
    for (const set of node?.sets() ?? []) {
      for (const { object, content, term, handedOver } of set.entries.values()) {
        const key = `${set.record.set}/${object}`;
        if (content !== undefined) kept.add(key);
        terms.set(key, Math.max(term, terms.get(key) ?? 0));
        const isUnconfirmed = handedOver?.kind === 'content' && !handedOver.isDelivered && !handedOver.isTargetDead;
        if (isUnconfirmed && living.some(({ id }) => id === handedOver.to)) sent.push({ key, term: handedOver.term });
      }
    }
  }
  for (const { key, term } of sent) if (term >= (terms.get(key) ?? 0)) kept.add(key);
  return kept;
}

export class Deaths {
  /** Of which somebody has not heard. */
  readonly #deaths = new Map<NodeId, Death>();

  /** @param kept what is done when an object that is kept now is not any more */
  died(dead: NodeId, living: readonly Living[], kept: Map<string, () => void>): void {
    for (const known of this.#deaths.keys()) this.hears(dead, [known]);
    this.#deaths.set(dead, { ignorant: new Set(living.map(({ id }) => id)), kept });
  }

  hears(node: NodeId, dead: readonly NodeId[]): void {
    for (const each of dead) {
      const death = this.#deaths.get(each);
      death?.ignorant.delete(node);
      if (death?.ignorant.size === 0) this.#deaths.delete(each);
    }
  }

  /** The node has made a step. */
  stepped(node: NodeId, living: readonly Living[]): void {
    const deaths = [...this.#deaths.values()].filter(({ ignorant }) => ignorant.has(node));
    if (deaths.length === 0) return;
    const stillKept = keptBy(living);
    for (const { kept } of deaths) {
      for (const [object, end] of kept) {
        if (stillKept.has(object)) continue;
        kept.delete(object);
        end();
      }
    }
  }
}
