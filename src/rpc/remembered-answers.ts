/**
 * Answers to calls that carry an idempotency key. A caller whose link was lost asks again with the same key: the call is not
 * carried out a second time, the caller gets the answer of the first one, also when that is still under way. Bounded in time, number and bytes.
 */

import type { FrameType } from './frame.ts';

/** What goes back to a caller: a frame without its id, which is that of the link it leaves on. */
export interface Answer {
  readonly type: FrameType;
  readonly body: Uint8Array;
  readonly trailer: Uint8Array;
}

type Deliver = (answer: Answer) => void;

interface Running {
  /** To who asked last. */
  deliver: Deliver;
}

interface Answered {
  readonly answer: Answer;
  readonly sinceMs: number;
}

export interface AnswerLimits {
  readonly answersMs: number;
  readonly answersKept: number;
  readonly answersBytes: number;
}

export class RememberedAnswers {
  readonly #limits: AnswerLimits;
  readonly #now: () => number;
  readonly #running = new Map<string, Running>();
  /** In the order in which they were answered. */
  readonly #answered = new Map<string, Answered>();
  #bytes = 0;

  /** @param now milliseconds of a clock that does not jump */
  constructor(limits: AnswerLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  /**
   * What to do with a call of this key: `run` it and then call `finish`, or nothing, for `deliver` gets the answer, at once or when
   * there is one. Of two who ask, the later one gets it: the earlier one's link is gone.
   */
  ask(key: string, deliver: Deliver): 'run' | 'known' {
    this.#forgetOld();
    const answered = this.#answered.get(key);
    if (answered !== undefined) {
      deliver(answered.answer);
      return 'known';
    }
    const running = this.#running.get(key);
    if (running !== undefined) {
      running.deliver = deliver;
      return 'known';
    }
    this.#running.set(key, { deliver });
    return 'run';
  }

  /** The call has ended: its answer goes to who asked last, and is kept. */
  finish(key: string, answer: Answer): void {
    const running = this.#running.get(key);
    if (running === undefined) return;
    this.#running.delete(key);
    this.#answered.set(key, { answer, sinceMs: this.#now() });
    this.#bytes += bytesOf(answer);
    this.#forgetOld();
    running.deliver(answer);
  }

  /** Number of answers that are kept. */
  get size(): number {
    return this.#answered.size;
  }

  #forgetOld(): void {
    const oldest = this.#now() - this.#limits.answersMs;
    for (const [key, { answer, sinceMs }] of this.#answered) {
      const isInBounds = this.#answered.size <= this.#limits.answersKept && this.#bytes <= this.#limits.answersBytes;
      if (isInBounds && sinceMs >= oldest) return;
      this.#answered.delete(key);
      this.#bytes -= bytesOf(answer);
    }
  }
}

function bytesOf(answer: Answer): number {
  return answer.body.byteLength + answer.trailer.byteLength;
}
