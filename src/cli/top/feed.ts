/**
 * What `krg top` is told by the cluster: a look now and then, and events as they happen. One node is asked at a time; when it does not answer the
 * next one is.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { KorriganError } from '../../linux/errors.ts';
import { NodeClient } from '../../node/api/index.ts';
import type { ClusterEvent, ClusterUsage, NodeDescription } from '../../node/api/index.ts';

const ANSWER_MILLISECONDS = 3500;
const AGAIN_MILLISECONDS = 500;

export interface FeedOptions {
  /** The nodes that may be asked, as they are now. */
  readonly nodes: () => readonly NodeDescription[];
  readonly onEvent: (event: ClusterEvent) => void;
  /** Nobody answers. */
  readonly onSilence: () => void;
  /** How long a node may take to answer. @default 3500: it waits for the others itself */
  readonly answerMilliseconds?: number;
}

export class Feed implements Disposable {
  readonly #options: FeedOptions;
  readonly #ended = new AbortController();
  /** The node that is asked first, and the one that answered last. */
  #first: string | undefined;
  #answered: string | undefined;
  /** Aborted when another node is asked. */
  #following = new AbortController();

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Of the node that is asked first, and of the others where that does not listen. */
  get client(): NodeClient {
    return new NodeClient(...this.#order().map(({ socket }) => socket));
  }

  /** Asks until somebody answers. @throws KorriganError KRG_NO_DAEMON when all have been asked and this is the first look */
  async look(isFirst = false): Promise<ClusterUsage> {
    for (; ; await delay(AGAIN_MILLISECONDS, undefined, { signal: this.#ended.signal })) {
      let last: unknown;
      // One that listens may be unable to answer: each is once the first.
      const tried = new Set<string>();
      for (let [first] = this.#order(); first !== undefined && !tried.has(first.name); [first] = this.#order()) {
        this.#ended.signal.throwIfAborted();
        tried.add(first.name);
        try {
          const signal = AbortSignal.any([
            this.#ended.signal,
            AbortSignal.timeout(this.#options.answerMilliseconds ?? ANSWER_MILLISECONDS),
          ]);
          const usage = await this.client.usage(signal);
          this.#turnTo(usage.node);
          return usage;
        } catch (error) {
          if (!(error instanceof KorriganError)) throw error;
          last = error;
          this.#turnFrom(first.name);
        }
      }
      if (isFirst && last !== undefined) throw last;
      this.#options.onSilence();
    }
  }

  /** Tells of events until the feed is disposed of. */
  async follow(): Promise<void> {
    const { signal } = this.#ended;
    for (; !signal.aborted; await delay(AGAIN_MILLISECONDS, undefined, { ref: false })) {
      try {
        const events = this.client.events(AbortSignal.any([signal, this.#following.signal]));
        for await (const event of events) this.#options.onEvent(event);
      } catch (error) {
        if (!(error instanceof KorriganError)) throw error;
      }
    }
  }

  [Symbol.dispose](): void {
    this.#ended.abort();
  }

  #order(): readonly NodeDescription[] {
    const nodes = this.#options.nodes();
    const at = nodes.findIndex(({ name }) => name === this.#first);
    return at < 0 ? nodes : [...nodes.slice(at), ...nodes.slice(0, at)];
  }

  #turnTo(name: string): void {
    const before = this.#answered;
    if (before === name) return;
    if (before !== undefined) this.#tell('node.silent', `${before} does not answer; ${name} is asked now`, name);
    this.#answered = name;
    this.#askFirst(name);
  }

  #turnFrom(name: string): void {
    const nodes = this.#options.nodes();
    const next = nodes[(nodes.findIndex((node) => node.name === name) + 1) % nodes.length];
    this.#askFirst(next?.name ?? name);
  }

  /** Events come from the same node. */
  #askFirst(name: string): void {
    if (this.#first === name) return;
    if (this.#first !== undefined) {
      this.#following.abort();
      this.#following = new AbortController();
    }
    this.#first = name;
  }

  #tell(kind: string, message: string, node: string): void {
    this.#options.onEvent({ time: Date.now(), node, kind, message });
  }
}
