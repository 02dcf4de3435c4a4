import { KorriganError } from '../../linux/errors.ts';

/** Bytes of standard input between the connection and the program, bounded by the credit that was granted to the sender. */
export class StdinQueue implements AsyncIterable<Uint8Array> {
  readonly #grant: (bytes: number) => void;
  readonly #window: number;
  readonly #chunks: Uint8Array[] = [];
  /** Bytes that were received and not yet granted back. */
  #outstanding = 0;
  /** Bytes that were taken and are not yet granted back: credit goes back in larger pieces. */
  #owed = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  /** @param window bytes the sender may have outstanding @param grant gives bytes of credit back to the sender */
  constructor(window: number, grant: (bytes: number) => void) {
    this.#window = window;
    this.#grant = grant;
  }

  /** @throws KorriganError KRG_BAD_REQUEST when the sender had no credit for it, or had ended its input */
  push(chunk: Uint8Array): void {
    if (this.#ended) throw new KorriganError('KRG_BAD_REQUEST', 'standard input goes on after its end');
    if (chunk.length === 0) return;
    this.#outstanding += chunk.length;
    if (this.#outstanding > this.#window) {
      throw new KorriganError('KRG_BAD_REQUEST', `more than ${this.#window} bytes of standard input were sent without credit`);
    }
    this.#chunks.push(chunk);
    this.#wake?.();
  }

  /** The end of the input; what is queued is still delivered. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk === undefined) {
        if (this.#ended) return;
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
        this.#wake = undefined;
        continue;
      }
      yield chunk;
      this.#giveBack(chunk.length);
    }
  }

  #giveBack(bytes: number): void {
    this.#owed += bytes;
    if (this.#owed < this.#window / 4 && this.#chunks.length > 0) return;
    this.#outstanding -= this.#owed;
    this.#grant(this.#owed);
    this.#owed = 0;
  }
}
