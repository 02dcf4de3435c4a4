/** What a user holds: an object, where it is, until it is put. */
import type { KorriganError } from '../../linux/errors.ts';
import type { ObjectId } from '../identity.ts';
import type { Operator } from './set-handle.ts';

/**
 * An object that was got or grabbed. It stays as it is, and on this node, until it is put; a program that forgets to put it stops everybody else, so: `using` (or
 * `await using`, which waits for the replicas of a write).
 */
export class Hold<Content> implements Disposable, AsyncDisposable {
  readonly object: ObjectId;
  /** Whether the holder may write. */
  readonly isGrab: boolean;
  readonly #operator: Operator;
  #content: Content;
  #isHeld = true;

  constructor(operator: Operator, object: ObjectId, isGrab: boolean, content: Content) {
    this.#operator = operator;
    this.object = object;
    this.isGrab = isGrab;
    this.#content = content;
  }

  get content(): Content {
    return this.#content;
  }

  /** What is put. A content that is an object may as well be changed in place. Grabs only. */
  set content(content: Content) {
    if (!this.isGrab) throw new TypeError('an object that was got is not written; grab it');
    this.#content = content;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /**
   * Ends the hold. After a grab the content is everybody's from now on, and has its replicas when this resolves. Does nothing when it has ended.
   * @throws KorriganError
   */
  async put(): Promise<void> {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    if (this.isGrab || !this.#operator.putNow(this.object)) await this.#operator.put(this.object, this.isGrab, this.#content);
  }

  /** After a grab with `manualFirstTouch` of an absent object: gives its content; it stays held. @throws KorriganError KRG_NOT_HELD */
  async setObject(content: NonNullable<Content>): Promise<void> {
    await this.#operator.operate({ kind: 'set-object', object: this.object, content });
    this.#content = content;
  }

  /** Ends the hold and removes the object everywhere. Grabs only. @throws KorriganError KRG_OBJECT_BUSY: another user of this node holds it, too; it is still held */
  async remove(): Promise<void> {
    await this.#operator.operate({ kind: 'remove-frozen', object: this.object });
    this.#isHeld = false;
  }

  /** Writes the object through to the device of its home (FT_LINKED sets). Grabs only. @throws KorriganError KRG_BAD_REQUEST */
  async sync(): Promise<void> {
    await this.#operator.operate({ kind: 'sync-frozen', object: this.object });
  }

  [Symbol.dispose](): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    if (!this.isGrab && this.#operator.putNow(this.object)) return;
    this.#operator
      .put(this.object, this.isGrab, this.#content)
      .catch((error: KorriganError) => this.#operator.putFailed(this.object, error));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.put();
  }
}
