/** Bytes that were sent and may have to be sent again, because the other side has not confirmed them. Pure. */

export class RetainedBytes {
  /** Position, in the whole stream, of the first byte that is retained. */
  #start: number;
  #length = 0;
  readonly #chunks: Uint8Array[] = [];
  /** How many bytes may wait for confirmation before the source of the bytes has to wait. */
  readonly #limit: number;

  constructor(start: number, limit: number) {
    this.#start = start;
    this.#limit = limit;
  }

  get start(): number {
    return this.#start;
  }

  /** Position behind the last byte. */
  get end(): number {
    return this.#start + this.#length;
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  get hasRoom(): boolean {
    return this.#length < this.#limit;
  }

  /** All that is retained, in order. */
  get chunks(): readonly Uint8Array[] {
    return this.#chunks;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#length += bytes.length;
  }

  /** The other side has everything before `position`. @throws RangeError when nobody can have come so far */
  confirm(position: number): void {
    if (position < this.#start || position > this.end) {
      throw new RangeError(`position ${position} was confirmed of a stream that retains ${this.#start} to ${this.end}`);
    }
    let done = position - this.#start;
    this.#start = position;
    this.#length -= done;
    while (done > 0) {
      const first = this.#chunks[0] as Uint8Array;
      if (first.length <= done) {
        this.#chunks.shift();
        done -= first.length;
      } else {
        this.#chunks[0] = first.subarray(done);
        done = 0;
      }
    }
  }
}
