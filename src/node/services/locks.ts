/**
 * Locks and their like for users. A name belongs to a user, as a process does: others can neither take what it names nor keep its owner from it. Root may mean
 * anybody's. What a program has, it has by its lease, a connection: when that ends, because it or its node does, everything goes to who comes next.
 */
import { randomBytes } from 'node:crypto';
import type { Membership } from '../../hotplug/index.ts';
import { type ErrorCode, KorriganError } from '../../linux/errors.ts';
import { type Deadlock, keyOf, keyParts, type Owner, type Reply, type Request, type Sync, type SyncClient } from '../../sync/index.ts';
import type { AskRequest } from '../api/sync-schemas.ts';
import type { AskLine, DeadlockLink, LeaseLine, SyncAnswer, SyncOwner } from '../api/sync-types.ts';
import type { Caller } from '../api/types.ts';
import type { EventLog } from '../events.ts';
import { describeTables } from './lock-list.ts';
import type { LockServices } from './services.ts';

export interface LocksOptions {
  readonly sync: Sync;
  readonly membership: Membership;
  readonly events: EventLog;
}

/** Of those who take what they have no end to. */
const LEASES_PER_USER = 10_000;

export function createLocks({ sync, membership, events }: LocksOptions): LockServices {
  const leases = new Map<string, { readonly client: SyncClient; readonly uid: number }>();
  const ownerOf = ({ node, label }: Owner): SyncOwner => ({ node: membership.nameOf(node), label });
  const linksOf = ({ waits }: Deadlock): DeadlockLink[] =>
    waits.map(({ key, waiter, blocker, blockerHas }) => ({
      thing: keyParts(key).name,
      waiter: ownerOf(waiter),
      keeper: ownerOf(blocker),
      has: blockerHas,
    }));

  const services: LockServices['sync'] = {
    async *lease(caller, { label, session }, abort) {
      if ([...leases.values()].filter(({ uid }) => uid === caller.uid).length >= LEASES_PER_USER)
        throw new KorriganError('KRG_LIMIT', `user ${caller.uid} has ${LEASES_PER_USER} leases on this node already`);
      const lease = randomBytes(16).toString('hex');
      using client = sync.open(`${label} (pid ${caller.pid}, uid ${caller.uid})`, session);
      const lines = new Lines<LeaseLine>(abort);
      client.onLost((claim) => lines.add({ lost: claim ?? null }));
      leases.set(lease, { client, uid: caller.uid });
      try {
        yield { lease, session: client.identity.session, node: membership.self.name };
        yield* lines;
      } finally {
        leases.delete(lease);
      }
    },

    async *ask(caller, asked, abort) {
      const known = leases.get(asked.lease);
      if (known?.uid !== caller.uid)
        throw new KorriganError('KRG_LOCK_LOST', 'the lease of this request has ended, and nothing is held by it any more');
      const { client } = known;
      const { request } = asked;
      const over = new AbortController();
      const lines = new Lines<AskLine>(AbortSignal.any([abort, over.signal]));
      const onQueued = (owners: readonly Owner[]): void => lines.add({ waitsFor: owners.map(ownerOf) });
      const reply = client.ask(requestOf(asked, spaceOf(caller, asked.uid)), { onQueued, signal: abort }).finally(() => over.abort());
      // Nobody hears that it is held: it is not.
      reply
        .then((answer) => (abort.aborted && 'claim' in answer ? client.ask({ kind: 'return', claim: answer.claim }) : undefined))
        .catch(() => undefined);
      if (request.kind === 'acquire')
        void sync.watchDeadlocks(client.identity.session, over.signal, (deadlock) => {
          const links = linksOf(deadlock);
          events.record('lock.deadlock', links.map(describeLink).join('; '));
          lines.add({ deadlock: links });
        });
      yield* lines;
      yield { answer: answerOf(await reply, 'name' in request ? request.name : 'it') };
    },

    list: async (caller) => {
      // What the system itself counts is nobody's.
      const mayBeSeen = (space: string): boolean => /^\d+$/.test(space) && (caller.uid === 0 || space === String(caller.uid));
      const tables = await sync.tables();
      const deadlocks = await sync.deadlocks();
      return {
        things: describeTables(tables, mayBeSeen, (node) => membership.nameOf(node)),
        deadlocks: deadlocks.filter(({ waits }) => waits.some(({ key }) => mayBeSeen(keyParts(key).space))).map(linksOf),
      };
    },
  };
  return { sync: services };
}

function describeLink({ thing, waiter, keeper, has }: DeadlockLink): string {
  const where = has ? 'which is held by' : 'before which stands';
  return `${waiter.label} on ${waiter.node} waits for ${thing}, ${where} ${keeper.label} on ${keeper.node}`;
}

function spaceOf(caller: Caller, uid: number | undefined): string {
  if (uid !== undefined && uid !== caller.uid && caller.uid !== 0)
    throw new KorriganError('KRG_PERMISSION', `the names of user ${uid} are that user's own, and root's`);
  return String(uid ?? caller.uid);
}

function requestOf({ request }: AskRequest, space: string): Request {
  switch (request.kind) {
    case 'acquire':
      return { kind: 'acquire', key: keyOf('lock', space, request.name), mode: request.mode, timeoutMs: request.timeoutMs };
    case 'take':
      return { ...request, key: keyOf('semaphore', space, request.name), timeoutMs: request.timeoutMs };
    case 'arrive':
      return { ...request, key: keyOf('barrier', space, request.name), timeoutMs: request.timeoutMs };
    case 'wait':
      return { ...request, key: keyOf('condition', space, request.name), timeoutMs: request.timeoutMs };
    case 'release':
    case 'repair':
    case 'give-back':
      return request;
    case 'post':
      return { ...request, kind: 'post', key: keyOf('semaphore', space, request.name) };
    case 'signal':
      return { ...request, kind: 'signal', key: keyOf('condition', space, request.name) };
    case 'reserve':
      return { ...request, kind: 'reserve', key: keyOf('counter', space, request.name) };
    case 'create-semaphore':
      return { ...request, key: keyOf('semaphore', space, request.name) };
    case 'remove':
      return { kind: 'remove', key: keyOf(request.thing, space, request.name) };
  }
}

const FAILURES: Readonly<Record<Exclude<Reply['kind'], SyncAnswer['kind'] | 'mismatch'>, readonly [code: ErrorCode, what: string]>> = {
  busy: ['KRG_LOCK_BUSY', 'somebody has it, or waits for it (`krg locks` says who)'],
  'timed-out': ['KRG_DEADLINE', 'the time was over before it could be had (`krg locks` says who has it)'],
  cancelled: ['KRG_CANCELLED', 'the wait was given up'],
  'not-recoverable': [
    'KRG_LOCK_NOT_RECOVERABLE',
    'its owner died, and the next one gave it up without having repaired what it guards; see to that, then `krg locks --remove NAME`',
  ],
  removed: ['KRG_REMOVED', 'it was removed while this program waited'],
  absent: ['KRG_NO_SUCH_OBJECT', 'there is none of this name'],
  'too-many': ['KRG_LIMIT', 'there is no room: a semaphore has 2147483647 units at most, and some thousands may wait'],
  'not-held': ['KRG_NOT_HELD', 'this program does not hold it'],
  deadlock: ['KRG_DEADLOCK', 'this program, or one that waits for its end, has it already: it would wait for itself'],
  lost: ['KRG_OBJECT_LOST', 'what was known of it was on nodes that died together'],
  leaving: ['KRG_NODE_LEAVING', 'this node leaves the cluster; ask another one (--at)'],
};

function answerOf(reply: Reply, name: string): SyncAnswer {
  switch (reply.kind) {
    case 'granted':
    case 'signalled':
    case 'not-signalled':
    case 'passed':
    case 'done':
      return reply;
    case 'mismatch':
      throw new KorriganError('KRG_BARRIER_MISMATCH', `${name}: it waits for ${reply.parties} parties, as the first who came has said`);
    default: {
      const [code, what] = FAILURES[reply.kind];
      throw new KorriganError(code, `${name}: ${what}`);
    }
  }
}

/** Lines that come now and then, until a signal. */
class Lines<Line> implements AsyncIterable<Line> {
  readonly #end: AbortSignal;
  readonly #lines: Line[] = [];
  #wake: () => void = () => undefined;

  constructor(end: AbortSignal) {
    this.#end = end;
    end.addEventListener('abort', () => this.#wake(), { once: true });
  }

  add(line: Line): void {
    this.#lines.push(line);
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Line> {
    for (;;) {
      yield* this.#lines.splice(0);
      if (this.#end.aborted) return;
      if (this.#lines.length > 0) continue;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
