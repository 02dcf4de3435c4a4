/** What is to be done to tables, table by table: everything that has come meanwhile is done under one grab. */
import type { FailureCode, NodeId } from '../kddm/index.ts';
import { act, type Action, type ActionResult, type Actor, purge } from './actions.ts';
import type { SyncEffect } from './events.ts';
import type { Answer, Outcome } from './outcomes.ts';
import { isNamed, type Living, nameOf } from './owners.ts';
import { outcomeOf, type Table } from './table.ts';

/** What a job came to, when it is in the table for good. */
export interface Done {
  readonly result: ActionResult;
  readonly before: Table;
  readonly after: Table;
  /** Of the claim that a withdrawal or an abandonment names, as it stood before. */
  readonly stood: Outcome | 'waits' | undefined;
}

export interface Job {
  readonly key: string;
  /** Without one only the dead are purged. */
  readonly action?: Action;
  /** Looked at with the table in hand; with an answer, the action is not carried out. */
  readonly unless?: (table: Table) => boolean;
  readonly done: (done: Done | FailureCode | 'refused') => void;
}

interface Work {
  jobs: Job[];
  isUnderWay: boolean;
  /** When the put is complete, or has failed. */
  finish: ((failure: FailureCode | undefined) => void) | undefined;
}

export interface WorkHost {
  readonly self: NodeId;
  readonly living: Living;
  readonly actor: Actor;
  emit(effect: SyncEffect): void;
  /** For claims of this node. */
  answered(answer: Answer): void;
  /** The table as it is now, for who waits there. */
  inspected(table: number, content: Table): void;
}

export class Works {
  readonly #host: WorkHost;
  readonly #works = new Map<number, Work>();

  constructor(host: WorkHost) {
    this.#host = host;
  }

  get isIdle(): boolean {
    return this.#works.size === 0;
  }

  isBusy(table: number): boolean {
    return this.#works.has(table);
  }

  add(table: number, job: Job): void {
    let work = this.#works.get(table);
    if (work === undefined) this.#works.set(table, (work = { jobs: [], isUnderWay: false, finish: undefined }));
    work.jobs.push(job);
    if (!work.isUnderWay) this.#begin(table, work);
  }

  #begin(table: number, work: Work): void {
    work.isUnderWay = true;
    this.#host.emit({ kind: 'grab', table });
  }

  grabbed(table: number, content: Table | FailureCode): void {
    const work = this.#works.get(table);
    if (work === undefined) return;
    const jobs = work.jobs.splice(0);
    if (typeof content === 'string') {
      this.#ended(table, work, () => {
        for (const job of jobs) job.done(content);
      });
      return;
    }
    const { living, actor } = this.#host;
    let current = content;
    const answers: Answer[] = [];
    const take = (step: { readonly table: Table; readonly answers: readonly Answer[] }): void => {
      current = step.table;
      answers.push(...step.answers);
    };
    take(purge(content, (owner) => living.isDead(owner), actor));
    const ends = jobs.map((job) => {
      const before = current;
      if (job.action === undefined) return () => job.done({ result: { kind: 'done' }, before, after: before, stood: undefined });
      if (job.unless?.(before) === true) return () => job.done('refused');
      const { action, key } = job;
      const stood = 'name' in action ? outcomeOf(before, key, action.name) : undefined;
      const step = act(before, key, action, actor);
      take(step);
      const { result } = step;
      return () => job.done({ result, before, after: step.table, stood });
    });
    work.finish = (failure) => {
      if (failure !== undefined) return jobs.forEach((job) => job.done(failure));
      this.#tell(current, answers);
      for (const end of ends) end();
      this.#host.inspected(table, current);
    };
    this.#host.emit({ kind: 'put', table, content: current });
  }

  put(table: number, failure: FailureCode | undefined): void {
    const work = this.#works.get(table);
    if (work?.finish === undefined) return;
    const { finish } = work;
    work.finish = undefined;
    this.#ended(table, work, () => finish(failure));
  }

  /** @param finish may add jobs */
  #ended(table: number, work: Work, finish: () => void): void {
    finish();
    work.isUnderWay = false;
    if (work.jobs.length > 0) this.#begin(table, work);
    else this.#works.delete(table);
  }

  #tell({ answers: kept }: Table, answers: readonly Answer[]): void {
    const { self, living, actor } = this.#host;
    const toNodes = new Map<NodeId, Answer[]>();
    for (const each of answers) {
      const { node } = each.owner;
      if (node === self) this.#host.answered(each);
      else if (!living.isDead(each.owner)) toNodes.set(node, [...(toNodes.get(node) ?? []), each]);
    }
    if (actor.has('wake-up-not-sent')) return;
    for (const [to, all] of toNodes) {
      const told = all.map((each) => {
        const name = nameOf(each);
        return { life: name.life, claim: name.claim, outcome: each.outcome, isKept: kept.some((one) => isNamed(one, name)) };
      });
      this.#host.emit({ kind: 'send', to, notice: { answers: told } });
    }
  }
}
