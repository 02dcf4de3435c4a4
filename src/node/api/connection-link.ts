/** A connection of the API, after its upgrade, as a link for bytes. */
import type { Duplex } from 'node:stream';
import { KorriganError } from '../../linux/errors.ts';
import type { ByteLink } from '../../streams/index.ts';

/** Bytes that wait for their reader before the connection is held back. */
const WAITING_BYTES = 1024 * 1024;

export class ConnectionLink implements ByteLink {
  readonly #connection: Duplex;
  readonly #chunks: Uint8Array[] = [];
  #waiting = 0;
  #ended = false;
  #wake: () => void = () => undefined;

  /** @param received what came with the upgrade */
  constructor(connection: Duplex, received: Uint8Array) {
    this.#connection = connection;
    if (received.length > 0) this.#take(received);
    const end = (): void => {
      this.#ended = true;
      this.#wake();
    };
    // A connection that fails also closes, and the close is what counts.
    connection.on('error', () => undefined);
    connection.on('data', (bytes: Uint8Array) => this.#take(bytes));
    connection.on('end', end);
    connection.on('close', end);
  }

  /** A user who is gone has ended the connection, however it ended. */
  async read(): Promise<Uint8Array | undefined> {
    while (this.#chunks.length === 0 && !this.#ended) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    const next = this.#chunks.shift();
    this.#waiting -= next?.length ?? 0;
    if (this.#connection.isPaused() && this.#waiting < WAITING_BYTES) this.#connection.resume();
    return next;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (!this.#connection.writable) throw new KorriganError('KRG_STREAM_BROKEN', 'the user has closed the connection');
    if (this.#connection.write(bytes)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#connection.once('drain', resolve);
    this.#connection.once('close', resolve);
    await promise;
    this.#connection.off('drain', resolve);
    this.#connection.off('close', resolve);
  }

  async end(): Promise<void> {
    this.#connection.end();
    // What the user still sends is dropped, so that the end is noticed.
    this.#connection.resume();
  }

  abort(): void {
    this.#connection.destroy();
  }

  #take(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#waiting += bytes.length;
    if (this.#waiting >= WAITING_BYTES) this.#connection.pause();
    this.#wake();
  }
}
