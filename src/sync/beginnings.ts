/** What each kind of request begins. */
import type { Action } from './actions.ts';
import { type Claim, type Claims, claimant, type Wanted } from './claims.ts';
import type { Client, Reply, Request } from './events.ts';
import type { LockMode } from './lock.ts';
import { type Claimant, nameOf } from './owners.ts';
import type { Table } from './table.ts';

/** Who asks what, and when. */
export interface Asked {
  readonly id: number;
  readonly client: Client;
  readonly atMs: number;
}

/** The machine, as far as a beginning needs it. */
export interface Beginner {
  readonly claims: Claims;
  reply(id: number, reply: Reply): void;
  claim(asked: Asked, key: string, wanted: Wanted, timeoutMs: number | undefined): Claim;
  /** @param unless refuses, with the table in hand @param queued called when the claim stands in the queue */
  stake(claim: Claim, action: Action, unless?: (table: Table) => boolean, queued?: () => void): void;
  /** An action that is no claim; its result is the answer. */
  perform(id: number | undefined, key: string, action: Action): void;
  release(id: number | undefined, claim: Claim): void;
  releaseForWait(lock: Claim): void;
}

export function begin(node: Beginner, asked: Asked, request: Request): void {
  const { id, client, atMs } = asked;
  switch (request.kind) {
    case 'acquire': {
      const { key, mode, timeoutMs } = request;
      const claim = node.claim(asked, key, { kind: 'lock', mode }, timeoutMs);
      const action = { kind: 'acquire', claim: { ...claimant(claim), mode, since: atMs }, isTry: timeoutMs === 0 } as const;
      return node.stake(claim, action, (table) => waitsForItself(table, claim, mode, node.claims));
    }
    case 'take': {
      const { key, count, undo, timeoutMs } = request;
      const claim = node.claim(asked, key, { kind: 'semaphore', count, undo }, timeoutMs);
      return node.stake(claim, { kind: 'take', claim: { ...claimant(claim), count, undo, since: atMs }, isTry: timeoutMs === 0 });
    }
    case 'arrive': {
      const { key, parties, timeoutMs } = request;
      const claim = node.claim(asked, key, { kind: 'barrier' }, timeoutMs);
      return node.stake(claim, { kind: 'arrive', claim: { ...claimant(claim), since: atMs }, parties });
    }
    case 'wait': {
      const lock = node.claims.held(request.lock, client);
      if (lock?.wanted.kind !== 'lock') return node.reply(id, { kind: 'not-held' });
      const { mode } = lock.wanted;
      const claim = node.claim(asked, request.key, { kind: 'condition', lock, mode }, request.timeoutMs);
      // It stands in the queue before others can have the lock: no signal is missed.
      return node.stake(claim, { kind: 'wait', claim: { ...claimant(claim), since: atMs } }, undefined, () => node.releaseForWait(lock));
    }
    case 'release':
    case 'give-back': {
      const held = node.claims.held(request.claim, client);
      return held === undefined ? node.reply(id, { kind: 'not-held' }) : node.release(id, held);
    }
    case 'return': {
      const held = node.claims.held(request.claim, client);
      if (held === undefined) return node.reply(id, { kind: 'not-held' });
      node.claims.delete(held);
      return node.perform(id, held.key, { kind: 'abandon', name: nameOf(held), isUnused: true });
    }
    case 'repair': {
      const held = node.claims.held(request.claim, client);
      if (held?.wanted.kind !== 'lock') return node.reply(id, { kind: 'not-held' });
      return node.perform(id, held.key, { kind: 'repair', name: nameOf(held) });
    }
    case 'post':
    case 'signal':
    case 'reserve':
      return node.perform(id, request.key, { kind: request.kind, count: request.count });
    case 'create-semaphore':
      return node.perform(id, request.key, { kind: 'create-semaphore', value: request.value });
    case 'remove':
      return node.perform(id, request.key, { kind: 'remove' });
  }
}

/** Whoever has it waits for the end of this very client. */
function waitsForItself(table: Table, { key, owner: { node, life, session } }: Claim, mode: LockMode, claims: Claims): boolean {
  const lock = table.objects.get(key);
  if (lock?.kind !== 'lock') return false;
  // What a client here was told that it has not got is on its way to others.
  const isHeld = (holder: Claimant): boolean =>
    holder.owner.node !== node || holder.owner.life !== life || claims.get(holder.claim)?.status === 'held';
  return lock.holders.some(
    (each) =>
      isHeld(each) &&
      (mode === 'exclusive' || each.mode === 'exclusive') &&
      (each.owner.session === session || session.startsWith(`${each.owner.session}/`)),
  );
}
