/** A client: does its steps one after the other on its node, and tells what it did and saw. */
import type { KddmEvent, ObjectOperation, Result } from '../src/kddm/index.ts';
import type { Client, Step } from './scenario.ts';
import type { SetOperationOf } from './set-actions.ts';

export interface ClientHost {
  /** Whether the client's node takes operations. */
  isUp(node: number): boolean;
  after(delayMs: number, run: () => void): void;
  operate(node: number, operation: OperationOf, onResult: (result: Result) => void): void;
  operateSet(node: number, operation: SetOperationOf, onResult: (result: Result) => void): void;
}

/** An operation without its id, which the host gives. */
export type OperationOf = ObjectOperation extends infer Each
  ? Each extends ObjectOperation
    ? Omit<Each, 'id' | 'namespace'>
    : never
  : never;

export type { KddmEvent };

export class RunningClient {
  readonly #host: ClientHost;
  readonly #client: Client;
  #next = 0;
  /** What it waits for, for a report. */
  waitsFor: string | undefined;
  /** Counts deaths of its node: what was asked before is not answered any more. */
  #life = 0;

  constructor(host: ClientHost, client: Client) {
    this.#host = host;
    this.#client = client;
  }

  get node(): number {
    return this.#client.node;
  }

  get isDone(): boolean {
    return this.#next >= this.#client.steps.length && this.waitsFor === undefined;
  }

  start(): void {
    const step = this.#client.steps[this.#next];
    if (step === undefined) return;
    this.#later(step.pauseMs, () => {
      this.#next++;
      this.#run(step);
    });
  }

  /** Its node died, and all that it did there. */
  nodeDied(): void {
    this.#life++;
    this.waitsFor = undefined;
  }

  /** Its node does not take operations any more. */
  stop(): void {
    this.nodeDied();
    this.#next = this.#client.steps.length;
  }

  #later(delayMs: number, run: () => void): void {
    const life = this.#life;
    this.#host.after(delayMs, () => {
      if (life === this.#life) run();
    });
  }

  #operate(operation: OperationOf, onResult: (result: Result) => void): void {
    const life = this.#life;
    this.waitsFor = `${operation.kind} ${operation.set}/${operation.object}`;
    this.#host.operate(this.#client.node, operation, (result) => {
      if (life !== this.#life) return;
      this.waitsFor = undefined;
      onResult(result);
    });
  }

  #operateSet(operation: SetOperationOf, next: () => void): void {
    const life = this.#life;
    this.waitsFor = operation.kind;
    this.#host.operateSet(this.#client.node, operation, () => {
      if (life !== this.#life) return;
      this.waitsFor = undefined;
      next();
    });
  }

  #run(step: Step): void {
    const { set, object } = step;
    const next = (): void => this.start();
    switch (step.kind) {
      case 'get':
      case 'grab':
        return this.#operate({ kind: step.kind, set, object, ...step.variant }, (result) =>
          this.#hold(step, step.kind === 'grab' ? 'grab' : 'get', result),
        );
      case 'find':
        return this.#operate({ kind: 'find', set, object }, (result) => this.#hold(step, 'get', result));
      case 'remove':
        return this.#operate({ kind: 'remove', set, object }, next);
      case 'flush':
        return this.#operate({ kind: 'flush', set, object, destination: step.destination }, next);
      case 'sync':
        return this.#operate({ kind: 'grab', set, object }, (result) => {
          if (result.kind !== 'done') return next();
          this.#operate({ kind: 'sync-frozen', set, object }, () => this.#hold(step, 'grab', result));
        });
      case 'of-set':
        return step.ofSet === undefined ? next() : this.#operateSet(step.ofSet, next);
    }
  }

  #hold(step: Step, hold: 'get' | 'grab', result: Result): void {
    const { set, object, variant, value } = step;
    const isFilling = result.kind === 'absent' && variant.manualFirstTouch === true && hold === 'grab';
    if ((result.kind !== 'done' && !isFilling) || variant.async === true || variant.noLock === true) return this.start();
    this.#later(step.holdMs, () => {
      if (isFilling) this.#operate({ kind: 'set-object', set, object, content: value }, () => this.#put(step, hold, false));
      else if (hold === 'grab' && step.isRemovedFrozen) {
        this.#operate({ kind: 'remove-frozen', set, object }, (removed) => {
          if (removed.kind === 'failed' && removed.code === 'busy') this.#put(step, hold, true);
          else this.start();
        });
      } else this.#put(step, hold, hold === 'grab');
    });
  }

  #put({ set, object, value }: Step, hold: 'get' | 'grab', isWritten: boolean): void {
    this.#operate({ kind: 'put', set, object, hold, ...(isWritten && { content: value }) }, () => this.start());
  }
}
