/** What clients do with whole sets: make, find and destroy them, evict what is here, watch. */
import type { KddmEffect, NodeId, Result, SetOperation, SetRecord } from '../src/kddm/index.ts';
import { SetLives } from './check-sets.ts';
import { WatchedChanges } from './check-watches.ts';

type WithoutId<Each> = Each extends unknown ? Omit<Each, 'id'> : never;
export type SetOperationOf = WithoutId<SetOperation>;

export class SetActions {
  readonly lives: SetLives;
  readonly watches = new WatchedChanges();
  readonly #fail: (description: string) => void;

  constructor(records: readonly SetRecord[], fail: (description: string) => void) {
    this.lives = new SetLives(records);
    this.#fail = fail;
  }

  started(node: NodeId, operation: SetOperation): void {
    if (operation.kind === 'destroy-set') this.lives.destroyStarts(operation.set, operation.id);
    if (operation.kind === 'destroy-set') this.watches.destroyed(operation.set);
    if (operation.kind === 'watch') this.watches.started(operation.id, node, operation.set, operation.object);
  }

  /** @param latest the last operation that was started */
  completed(operation: SetOperation, result: Result, latest: number): void {
    const { id, kind } = operation;
    switch (kind) {
      case 'create-set':
        return this.lives.ended(kind, operation.record.set, result, latest);
      case 'destroy-set':
        return this.lives.ended(kind, operation.set, result, latest);
      case 'find-set':
      case 'find-name': {
        const record = result.kind === 'done' ? result.record : undefined;
        const meant = kind === 'find-set' ? operation.set : Number('name' in operation ? operation.name.split('-')[1] : 0);
        if (record !== undefined && record.set !== meant) this.#fail(`#${id} has found set ${record.set}, and meant ${meant}`);
        if (result.kind === 'failed') return;
        return this.#note(record === undefined ? this.lives.notFound(meant, id) : this.lives.seen(meant, id));
      }
      case 'watch':
        return this.watches.completed(id, result.kind === 'done');
      case 'flush-set':
      case 'unwatch':
        return;
    }
  }

  /** An object of the set was got, or there was no such set. */
  used(set: number, id: number, result: Result): void {
    if (result.kind === 'done' || result.kind === 'absent') this.#note(this.lives.seen(set, id));
  }

  told({ watch, objects }: Extract<KddmEffect, { kind: 'changed' }>): void {
    this.watches.told(watch, objects);
  }

  gone(node: NodeId): void {
    this.lives.hasDied = true;
    this.watches.gone(node);
  }

  #note(violation: string | undefined): void {
    if (violation !== undefined) this.#fail(violation);
  }
}
