/** Sync on one node, pure and deterministic: takes events, changes tables by way of `work`, and answers clients. */
import type { FailureCode, NodeId } from '../kddm/index.ts';
import type { Action, Actor } from './actions.ts';
import { type Asked, begin, type Beginner } from './beginnings.ts';
import { type Claim, Claims, claimant, type Wanted } from './claims.ts';
import type { Notice, Reply, SyncEffect, SyncEvent } from './events.ts';
import type { SyncMutation } from './mutations.ts';
import type { Outcome } from './outcomes.ts';
import { Living, nameOf } from './owners.ts';
import { outcomeOf, ownersOf, type Table, tableOf } from './table.ts';
import { type Done, Works } from './work.ts';

export interface SyncNodeOptions {
  readonly self: NodeId;
  /** Of its container and its daemon, as it stands in the cluster's record. */
  readonly life: string;
  /** How often who waits looks for what it may not have been told. @default 5000 */
  readonly lookMs?: number;
  /** How long a table may be out of reach before a client whose time is over is told so without it. @default 2000 */
  readonly graceMs?: number;
  readonly mutations?: ReadonlySet<SyncMutation>;
}

export class SyncNode implements Beginner {
  readonly self: NodeId;
  readonly life: string;
  readonly claims = new Claims();
  readonly works: Works;
  readonly #living: Living;
  readonly #actor: Actor;
  readonly #lookMs: number;
  readonly #graceMs: number;
  #effects: SyncEffect[] = [];
  #now = 0;
  #lastLook = 0;
  #nextClaim = 0;
  #isDraining = false;
  #isDrained = false;
  /** Came before this node knew that it is in the cluster. */
  #early: { readonly event: SyncEvent & { readonly kind: 'request' }; readonly at: number }[] = [];

  constructor({ self, life, lookMs = 5000, graceMs = 2000, mutations = new Set() }: SyncNodeOptions) {
    this.self = self;
    this.life = life;
    this.#lookMs = lookMs;
    this.#graceMs = graceMs;
    this.#actor = { self, has: (mutation) => mutations.has(mutation) };
    this.#living = new Living(this.#actor.has);
    this.works = new Works({
      self,
      living: this.#living,
      actor: this.#actor,
      emit: (effect) => this.#emit(effect),
      answered: ({ owner, claim, outcome }) => {
        if (owner.life === life) this.#settle(this.claims.get(claim), outcome);
      },
      inspected: (table, content) => this.#inspect(table, content),
    });
  }

  /** Does it matter to anybody that time passes? */
  get needsTicks(): boolean {
    return this.claims.size > 0 || this.#early.length > 0;
  }

  /** @param now milliseconds of a clock that never goes back */
  step(event: SyncEvent, now: number): readonly SyncEffect[] {
    this.#effects = [];
    this.#now = now;
    this.#take(event);
    if (this.#isDraining && !this.#isDrained && this.claims.size === 0 && this.works.isIdle) {
      this.#isDrained = true;
      this.#emit({ kind: 'drained' });
    }
    return this.#effects;
  }

  #take(event: SyncEvent): void {
    switch (event.kind) {
      case 'request':
        if (this.#isDraining) return this.reply(event.id, { kind: 'leaving' });
        if (this.#living.epoch === 0) this.#early.push({ event, at: this.#now });
        else begin(this, event, event.request);
        return;
      case 'cancel':
        this.#early = this.#early.filter((each) => each.event.id !== event.id);
        for (const claim of this.claims.all()) if (claim.request === event.id) this.#endWait(claim, 'cancelled');
        return;
      case 'client-gone':
        this.#early = this.#early.filter((each) => each.event.client.client !== event.client);
        for (const claim of this.claims.all()) if (claim.client.client === event.client) this.#giveUp(claim);
        return;
      case 'grabbed':
        return this.works.grabbed(event.table, event.content);
      case 'put':
        return this.works.put(event.table, event.failure);
      case 'seen':
        return this.#see(event.table, event.content);
      case 'notice':
        return this.#hear(event.notice);
      case 'view':
        return this.#follow(event.epoch, event.members);
      case 'drain':
        return this.#drain();
      case 'keep':
        this.#isDraining = this.#isDrained = false;
        return;
      case 'tick':
        return this.#tick();
    }
  }

  #emit(effect: SyncEffect): void {
    this.#effects.push(effect);
  }

  // For `begin`

  reply(id: number, reply: Reply): void {
    this.#emit({ kind: 'reply', id, reply });
  }

  claim({ id, client }: Asked, key: string, wanted: Wanted, timeoutMs: number | undefined): Claim {
    const waitsMs = timeoutMs === undefined ? undefined : this.#now + timeoutMs;
    const claim: Claim = {
      owner: { ...client, node: this.self, life: this.life, epoch: this.#living.epoch },
      claim: ++this.#nextClaim,
      client,
      request: id,
      key,
      table: tableOf(key),
      wanted,
      status: 'starting',
      deadline: timeoutMs === 0 ? undefined : waitsMs,
      giveUpAt: waitsMs === undefined ? undefined : waitsMs + this.#graceMs,
      ending: undefined,
      isUnwanted: false,
    };
    this.claims.add(claim);
    return claim;
  }

  /** @param queued called when it stands in the queue */
  stake(claim: Claim, action: Action, unless?: (table: Table) => boolean, queued?: () => void): void {
    this.works.add(claim.table, {
      key: claim.key,
      action,
      ...(unless && { unless }),
      done: (done) => {
        const current = this.claims.get(claim.claim);
        if (current?.status !== 'starting') return;
        if (done === 'refused') {
          this.claims.delete(claim);
          return claim.isUnwanted ? undefined : this.reply(claim.request, { kind: 'deadlock' });
        }
        if (typeof done === 'string') return this.#fail(claim, done);
        claim.status = 'waiting';
        const object = done.after.objects.get(claim.key);
        const holders = object?.kind === 'lock' || object?.kind === 'semaphore' ? object.holders.map(({ owner }) => owner) : [];
        this.#emit({ kind: 'queued', id: claim.request, holders });
        queued?.();
      },
    });
  }

  /** An action that is no claim; its result is the answer. */
  perform(id: number | undefined, key: string, action: Action): void {
    this.works.add(tableOf(key), {
      key,
      action,
      done: (done) => {
        if (id === undefined) return;
        if (typeof done === 'string') this.reply(id, { kind: done === 'leaving' ? 'leaving' : 'lost' });
        else this.reply(id, done.result);
      },
    });
  }

  // What becomes of claims

  #fail(claim: Claim, code: FailureCode): void {
    this.claims.delete(claim);
    if (claim.status === 'held') this.#emit({ kind: 'hold-lost', client: claim.client.client, claim: claim.claim });
    else if (!claim.isUnwanted) this.reply(claim.request, { kind: code === 'leaving' ? 'leaving' : 'lost' });
  }

  #settle(claim: Claim | undefined, outcome: Outcome): void {
    if (claim === undefined || claim.status === 'held') return;
    if (claim.isUnwanted || this.#isDraining) {
      this.claims.delete(claim);
      if (!claim.isUnwanted) this.reply(claim.request, { kind: 'leaving' });
      return this.#passOn(claim, outcome);
    }
    switch (outcome.kind) {
      case 'granted':
        return this.#grant(claim, outcome);
      case 'withdrawn':
        this.claims.delete(claim);
        if (claim.wanted.kind === 'condition') return this.#lockAgain(claim, 'not-signalled');
        return this.reply(claim.request, { kind: claim.ending ?? 'timed-out' });
      case 'signalled':
        this.claims.delete(claim);
        return this.#lockAgain(claim, 'signalled');
      case 'busy':
      case 'not-recoverable':
      case 'removed':
      case 'mismatch':
      case 'absent':
      case 'too-many':
      case 'passed':
        this.claims.delete(claim);
        return this.reply(claim.request, outcome);
      case 'lost':
        return this.#fail(claim, 'lost');
    }
  }

  #grant(claim: Claim, { token, ownerDied }: Outcome & { readonly kind: 'granted' }): void {
    const { wanted } = claim;
    if (wanted.kind === 'semaphore' && !wanted.undo) this.claims.delete(claim);
    else claim.status = 'held';
    const kind = wanted.kind === 'lock' ? (wanted.after ?? 'granted') : 'granted';
    this.reply(claim.request, { kind, claim: claim.claim, token, ownerDied });
  }

  /** After a wait on a condition variable. */
  #lockAgain(waited: Claim, after: 'signalled' | 'not-signalled'): void {
    if (waited.wanted.kind !== 'condition') return;
    const { lock, mode } = waited.wanted;
    const { key } = lock;
    this.releaseForWait(lock);
    const claim = this.claim({ id: waited.request, client: waited.client, atMs: 0 }, key, { kind: 'lock', mode, after }, undefined);
    this.stake(claim, { kind: 'acquire', claim: { ...claimant(claim), mode, since: 0 }, isTry: false });
  }

  /** What a claim got that nobody wants any more goes to the next. */
  #passOn({ key, wanted, ...claim }: Claim, outcome: Outcome | 'waits' | undefined): void {
    if (outcome === undefined || outcome === 'waits') return;
    if (outcome.kind === 'signalled') return this.perform(undefined, key, { kind: 'signal', count: 1 });
    if (outcome.kind !== 'granted') return;
    if (wanted.kind === 'semaphore' && !wanted.undo) this.perform(undefined, key, { kind: 'post', count: wanted.count });
    else this.perform(undefined, key, { kind: 'abandon', name: nameOf(claim), isUnused: true });
  }

  /** Its client is gone. */
  #giveUp(claim: Claim): void {
    this.claims.delete(claim);
    const isUnused = claim.status !== 'held';
    this.works.add(claim.table, {
      key: claim.key,
      action: { kind: 'abandon', name: nameOf(claim), isUnused },
      done: (done) => {
        const isUndone = claim.wanted.kind === 'lock' || (claim.wanted.kind === 'semaphore' && claim.wanted.undo);
        if (typeof done !== 'string' && isUnused && !isUndone) this.#passOn(claim, done.stood);
      },
    });
  }

  #endWait(claim: Claim, ending: 'timed-out' | 'cancelled' | 'leaving'): void {
    if (claim.status === 'held' || claim.ending !== undefined) return;
    // Who has waited for a signal has to have its lock again.
    if (claim.wanted.kind === 'lock' && claim.wanted.after !== undefined && ending !== 'leaving') return;
    claim.ending = ending;
    this.works.add(claim.table, {
      key: claim.key,
      action: { kind: 'withdraw', name: nameOf(claim) },
      done: (done: Done | FailureCode | 'refused') => {
        if (this.claims.get(claim.claim) !== claim || claim.status === 'held') return;
        if (done === 'refused') return;
        if (typeof done === 'string') this.#fail(claim, done);
        else this.#settle(claim, done.stood === undefined || done.stood === 'waits' ? { kind: 'lost' } : done.stood);
      },
    });
  }

  #tick(): void {
    const now = this.#now;
    const late = this.#early.filter(
      ({ event: { request }, at }) =>
        'timeoutMs' in request && request.timeoutMs !== undefined && at + request.timeoutMs + this.#graceMs <= now,
    );
    this.#early = this.#early.filter((each) => !late.includes(each));
    for (const { event } of late) this.reply(event.id, { kind: 'timed-out' });
    for (const claim of this.claims.all()) {
      if (claim.status === 'held') continue;
      if (claim.deadline !== undefined && claim.deadline <= now) this.#endWait(claim, 'timed-out');
      if (claim.giveUpAt === undefined || claim.giveUpAt > now || claim.isUnwanted || claim.wanted.kind === 'condition') continue;
      claim.isUnwanted = true;
      this.reply(claim.request, { kind: 'timed-out' });
    }
    if (now - this.#lastLook >= this.#lookMs) this.#look();
  }

  // Tables as they are

  #look(): void {
    this.#lastLook = this.#now;
    if (this.#actor.has('never-looks-again')) return;
    for (const table of this.claims.awaitedTables()) if (!this.works.isBusy(table)) this.#emit({ kind: 'see', table });
  }

  #see(table: number, content: Table | FailureCode | undefined): void {
    if (this.works.isBusy(table) || content === undefined) return;
    if (typeof content !== 'string') return this.#inspect(table, content);
    if (content === 'lost' || content === 'leaving') for (const claim of this.claims.ofTable(table)) this.#fail(claim, content);
  }

  /** Hears what it was not told, and sees who is dead. */
  #inspect(table: number, content: Table): void {
    if (this.#actor.has('never-looks-again')) return;
    for (const claim of this.claims.ofTable(table)) {
      if (claim.status !== 'waiting') continue;
      const outcome = outcomeOf(content, claim.key, nameOf(claim));
      if (outcome === 'waits') continue;
      if (content.answers.some((each) => each.claim === claim.claim && each.owner.node === this.self)) this.#acknowledge(claim);
      this.#settle(claim, outcome ?? { kind: 'lost' });
    }
    const isDirty = ownersOf(content).some((owner) => this.#living.isDead(owner)) && !this.#actor.has('dead-not-purged');
    if (isDirty && !this.works.isBusy(table)) this.works.add(table, { key: '', done: () => {} });
  }

  #acknowledge(claim: Claim): void {
    this.works.add(claim.table, { key: claim.key, action: { kind: 'acknowledge', name: nameOf(claim) }, done: () => {} });
  }

  // The cluster

  #hear({ answers }: Notice): void {
    for (const { life, claim: number, outcome, isKept } of answers) {
      if (life !== this.life) continue;
      const claim = this.claims.get(number);
      if (claim === undefined) continue;
      // One that is just being looked for in its table is heard of there.
      if (isKept && claim.ending === undefined) this.#acknowledge(claim);
      this.#settle(claim, outcome);
    }
  }

  /** Until this life stands in the record this node has no part in anything. */
  #follow(epoch: number, members: ReadonlyMap<NodeId, string>): void {
    if (epoch <= this.#living.epoch || (this.#living.epoch === 0 && members.get(this.self) !== this.life)) return;
    const returns = !this.#living.members.has(this.self) && members.get(this.self) === this.life;
    this.#living.change(epoch, members);
    // It had left, and has nothing from before.
    if (returns && this.#isDrained) this.#isDraining = this.#isDrained = false;
    if (members.get(this.self) !== this.life) for (const claim of this.claims.all()) this.#fail(claim, 'leaving');
    this.#look();
    for (const { event } of this.#early.splice(0)) this.#take(event);
  }

  #drain(): void {
    this.#isDraining = true;
    for (const { event } of this.#early.splice(0)) this.reply(event.id, { kind: 'leaving' });
    for (const claim of this.claims.all()) {
      if (claim.status !== 'held') {
        claim.ending = undefined;
        this.#endWait(claim, 'leaving');
        continue;
      }
      this.#emit({ kind: 'hold-lost', client: claim.client.client, claim: claim.claim });
      this.#giveUp(claim);
    }
  }

  /** The lock of who waits for a signal is given up once. */
  releaseForWait(lock: Claim): void {
    if (this.claims.get(lock.claim) === lock) this.release(undefined, lock);
  }

  /** The client gives it up itself. */
  release(id: number | undefined, claim: Claim): void {
    this.claims.delete(claim);
    this.perform(id, claim.key, { kind: claim.wanted.kind === 'semaphore' ? 'give-back' : 'release', name: nameOf(claim) });
  }
}
