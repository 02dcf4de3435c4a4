/**
 * What one node says to one other, once and in order, as long as both daemons live: what was sent is kept until the other has confirmed it, and sent again when
 * the link was lost. Pure. A daemon is named by the number of its *life*: what was meant for another life of the peer is dropped, at both ends; only a new epoch, in which the old life is
 * dead, can go on from there.
 */

/** Of one packet, in the order of sending from 1; 0: it carries nothing and only confirms. */
export type Sequence = number;

export interface Packet<Body> {
  /** The lives of the sender and of whom it is for. */
  readonly from: number;
  readonly to: number;
  readonly sequence: Sequence;
  /** All up to this one have come from the life `to`. */
  readonly received: Sequence;
  readonly body?: Body | undefined;
}

interface Item<Body> {
  readonly sequence: Sequence;
  readonly sizeBytes: number;
  readonly body: Body;
}

/** Sent and not confirmed, at most; more waits. */
const WINDOW_BYTES = 16 * 2 ** 20;
const WINDOW_PACKETS = 8192;
/** What came is confirmed at the latest after so much; see {@link Channel.confirmation}. */
const CONFIRM_BYTES = 2 ** 20;
const CONFIRM_PACKETS = 256;

export class Channel<Body> {
  readonly #self: number;
  /** The peer's life to which is sent, and the one from which something came last. */
  #to = 0;
  #from = 0;
  #lastSequence = 0;
  #queue: Item<Body>[] = [];
  /** Of the queue, so many are on their way. */
  #sent = 0;
  #sentBytes = 0;
  #received = 0;
  #confirmed = 0;
  #unconfirmedBytes = 0;

  /** @param self this daemon's life */
  constructor(self: number) {
    this.#self = self;
  }

  /** Whether something was sent, or waits to be, that the peer has not confirmed. */
  get isWaiting(): boolean {
    return this.#queue.length > 0;
  }

  /** The first that is not confirmed; 0 for none. */
  get oldest(): Sequence {
    return this.#queue[0]?.sequence ?? 0;
  }

  /** From now on this life of the peer is meant; 0: none. */
  bind(life: number): void {
    if (life === this.#to) return;
    this.#to = life;
    this.#lastSequence = 0;
    this.#queue = [];
    this.#sent = 0;
    this.#sentBytes = 0;
  }

  push(body: Body, sizeBytes: number): void {
    this.#queue.push({ sequence: ++this.#lastSequence, sizeBytes, body });
  }

  /** @returns what is to be sent now */
  take(): Packet<Body>[] {
    const packets: Packet<Body>[] = [];
    for (; this.#sent < this.#queue.length; this.#sent++) {
      const item = this.#queue[this.#sent];
      if (item === undefined || this.#sent >= WINDOW_PACKETS || (this.#sent > 0 && this.#sentBytes + item.sizeBytes > WINDOW_BYTES)) break;
      this.#sentBytes += item.sizeBytes;
      packets.push({ from: this.#self, to: this.#to, sequence: item.sequence, received: this.#tellReceived(this.#to), body: item.body });
    }
    return packets;
  }

  /** What is on its way may be lost: it is to be sent again. */
  rewind(): void {
    this.#sent = 0;
    this.#sentBytes = 0;
  }

  /** @returns what came with it; `undefined`: nothing, it came before, or something before it was lost */
  receive({ from, to, sequence, received, body }: Packet<Body>, sizeBytes: number): Body | undefined {
    if (to !== this.#self) return undefined;
    if (from !== this.#from) {
      this.#from = from;
      this.#received = 0;
      this.#confirmed = 0;
      this.#unconfirmedBytes = 0;
    }
    if (from === this.#to) this.#confirm(received);
    if (sequence === 0) return undefined;
    if (sequence !== this.#received + 1) {
      // It is sent again by who does not know that it has come.
      if (sequence <= this.#received) this.#confirmed = Math.min(this.#confirmed, sequence - 1);
      return undefined;
    }
    this.#received = sequence;
    this.#unconfirmedBytes += sizeBytes;
    return body;
  }

  #confirm(received: Sequence): void {
    let count = 0;
    for (const { sequence, sizeBytes } of this.#queue) {
      if (sequence > received) break;
      if (count < this.#sent) this.#sentBytes -= sizeBytes;
      count++;
    }
    this.#queue.splice(0, count);
    this.#sent = Math.max(0, this.#sent - count);
  }

  /** @param isDue whether it is time to confirm even a little @returns what tells the peer what has come, when nothing else has told it */
  confirmation(isDue: boolean): Packet<Body> | undefined {
    const count = this.#received - this.#confirmed;
    if (count === 0 || (!isDue && count < CONFIRM_PACKETS && this.#unconfirmedBytes < CONFIRM_BYTES)) return undefined;
    return { from: this.#self, to: this.#from, sequence: 0, received: this.#tellReceived(this.#from) };
  }

  #tellReceived(to: number): Sequence {
    if (to !== this.#from) return 0;
    this.#confirmed = this.#received;
    this.#unconfirmedBytes = 0;
    return this.#received;
  }
}
