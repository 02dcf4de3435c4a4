/** Each daemon tells all others which life it is in, until they have heard it. */
import type { NodeId } from '../kddm/index.ts';
import type { Notice } from './events.ts';
import type { Living } from './owners.ts';

export class Greetings {
  readonly #self: NodeId;
  readonly #incarnation: number;
  readonly #living: Living;
  readonly #send: (to: NodeId, notice: Notice) => void;
  readonly #heardBy = new Set<NodeId>();

  constructor(self: NodeId, incarnation: number, living: Living, send: (to: NodeId, notice: Notice) => void) {
    this.#self = self;
    this.#incarnation = incarnation;
    this.#living = living;
    this.#send = send;
  }

  greet(): void {
    const { members } = this.#living;
    for (const node of this.#heardBy) if (!members.has(node)) this.#heardBy.delete(node);
    for (const node of members) if (node !== this.#self && !this.#heardBy.has(node)) this.#hello(node);
  }

  #hello(node: NodeId): void {
    this.#send(node, { kind: 'hello', incarnation: this.#incarnation });
  }

  /** @returns whether an earlier life of that node is known to be over only now */
  hear(from: NodeId, notice: Notice & { readonly kind: 'hello' | 'hello-heard' }): boolean {
    if (notice.kind === 'hello-heard') {
      if (notice.incarnation === this.#incarnation) this.#heardBy.add(from);
      return false;
    }
    const isNews = this.#living.hear(from, notice.incarnation);
    if (isNews) {
      // Whoever is there anew has not heard of this one.
      this.#heardBy.delete(from);
      this.#hello(from);
    }
    this.#send(from, { kind: 'hello-heard', incarnation: notice.incarnation });
    return isNews;
  }
}
