/**
 * Ids that no node gives out twice, ever: the node in the top bits, a counter below. The counter of each node stands in a table, and is reserved in blocks: it survives the node's daemon
 * and the node itself, also when another one comes in its place.
 */
import { type NodeId, uniqueId } from '../kddm/index.ts';

/** A daemon that ends wastes what is left of one. */
const BLOCK = 1024;

export class UniqueIds {
  readonly #node: NodeId;
  readonly #reserve: (count: number) => Promise<number>;
  #next = 0;
  #end = 0;
  #reserving: Promise<void> | undefined;

  /** @param reserve gives the first of so many numbers that nobody else gets, from 1 */
  constructor(node: NodeId, reserve: (count: number) => Promise<number>) {
    this.#node = node;
    this.#reserve = reserve;
  }

  async next(): Promise<number> {
    while (this.#next >= this.#end) {
      this.#reserving ??= this.#fill().finally(() => (this.#reserving = undefined));
      await this.#reserving;
    }
    return uniqueId(this.#node, this.#next++);
  }

  async #fill(): Promise<void> {
    const first = await this.#reserve(BLOCK);
    this.#next = first;
    this.#end = first + BLOCK;
  }
}
