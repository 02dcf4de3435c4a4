/** What all streams of a node share: where they stand, and who tells when they can go on. */
import type { Container } from '../container/index.ts';
import { Conduit, type ConduitOptions } from './conduit.ts';
import { Readiness } from './readiness.ts';
import type { StreamSlot } from './slot.ts';
import { StreamStore } from './store.ts';

/** One for each container and daemon; belongs to the daemon's main thread. */
export class Streams implements AsyncDisposable {
  readonly container: Container;
  private readonly store: StreamStore;
  private readonly readiness = new Readiness();

  constructor(container: Container) {
    this.container = container;
    this.store = new StreamStore(container);
  }

  /** The slots in use: after the start of a daemon, what its predecessor left. */
  used(): StreamSlot[] {
    return this.store.used();
  }

  /** A slot for a new stream. @param note says what it is, for the next daemon @throws KorriganError KRG_LIMIT */
  allocate(note: unknown): StreamSlot {
    return this.store.allocate(note);
  }

  conduit(options: Omit<ConduitOptions, 'readiness'>): Conduit {
    return new Conduit({ ...options, readiness: this.readiness });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.readiness[Symbol.asyncDispose]();
    this.store[Symbol.dispose]();
  }
}
