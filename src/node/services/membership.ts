/** Nodes come and go because somebody wants it: who may run the daemons may. */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { add, drain, forget, type HotPlug, keep, type Membership, type NodeRecord, removed, type View } from '../../hotplug/index.ts';
import { errorToJSON, isKorriganError, KorriganError } from '../../linux/errors.ts';
import { defineCall, type RpcNode } from '../../rpc/index.ts';
import type { Sync } from '../../sync/index.ts';
import type { RemoveNodesRequest } from '../api/schemas.ts';
import type { Caller, DrainProgress, DrainResult } from '../api/types.ts';
import type { EventLog } from '../events.ts';
import { Drain } from './drain.ts';
import { checkRights } from './rights.ts';
import type { MembershipServices } from './services.ts';

/** `leave`: the others are told, so that they need not find out. */
const ending = z.enum(['leave', 'off', 'reboot']);
export type Ending = z.output<typeof ending>;

/** Tells a node to end, with all that runs there. It answers before it does. */
const endCall = defineCall('node.end', z.object({ ending }), z.null());
const END_MILLISECONDS = 2000;
/** How long a node that was told to end may take. */
const GONE_MILLISECONDS = 10_000;
const AGAIN_MILLISECONDS = 50;
/** The answer to who asks goes out first. */
const ANSWERED_MILLISECONDS = 100;

export interface MembershipOptions {
  readonly membership: Membership;
  readonly hotPlug: HotPlug;
  readonly rpc: RpcNode;
  readonly events: EventLog;
  /** Locks and their like. */
  readonly sync: Sync;
  /** Ends this node. */
  readonly end: (ending: Ending) => Promise<void>;
}

export function createMembership(options: MembershipOptions): MembershipServices {
  const { membership, hotPlug, rpc, events, end } = options;
  rpc.handle(endCall, async ({ ending: how }) => {
    // From now on nothing is asked of this node.
    setTimeout(() => void end(how), ANSWERED_MILLISECONDS);
    return await Promise.resolve(null);
  });

  const change = async (what: (view: View) => View): Promise<void> => {
    await hotPlug.change((view) => {
      checkTakesPart(view, rpc.id);
      return what(view);
    });
    await hotPlug.settled();
  };

  return {
    addNodes: async (caller, { nodes }) => {
      checkRights(caller, 'add nodes to the cluster');
      const ids = find(membership, nodes).map(({ id }) => id);
      let isRepeated = false;
      await change((view) => {
        const isIn = (id: number, state: NodeRecord['state']): boolean => view.nodes.some((node) => node.id === id && node.state === state);
        // Another change got in between: this one may have been made all the same.
        const open = ids.filter((id) => !(isRepeated && isIn(id, 'online')));
        isRepeated = true;
        const kept = open.filter((id) => isIn(id, 'leaving')).reduce(keep, view);
        return add(
          kept,
          open.filter((id) => !isIn(id, 'leaving')),
        );
      });
    },

    removeNodes: async (caller, request, onProgress, abort) => {
      checkRights(caller, 'take nodes out of the cluster');
      const nodes = find(membership, request.nodes);
      await change((view) => nodes.reduce((before, { id }) => drain(before, id, rpc.id), view));
      const results: DrainResult[] = [];
      try {
        for (const node of nodes) results.push(await remove(options, node, request, onProgress, abort));
      } finally {
        const open = nodes.slice(results.length).map(({ id }) => id);
        if (open.length > 0) await hotPlug.change((view) => open.reduce(keep, view));
      }
      return results;
    },

    power: async (caller: Caller, { action, nodes }) => {
      checkRights(caller, nodes === undefined ? 'end the cluster' : 'end a node');
      const named = nodes === undefined ? membership.members.filter(({ state }) => state !== 'possible') : find(membership, nodes);
      const how: Ending = action === 'reboot' ? 'reboot' : nodes === undefined ? 'off' : 'leave';
      const told: string[] = [];
      const silent: string[] = [];
      // This node last: it has to ask the others.
      for (const { id, name } of named.toSorted((one, other) => Number(one.id === rpc.id) - Number(other.id === rpc.id))) {
        events.record('node.ending', `${name} was told to ${action === 'reboot' ? 'begin anew' : 'end'}`);
        const answer = rpc.call(id, endCall, { ending: how }, { deadlineMs: END_MILLISECONDS });
        const isTold = await answer.then(
          () => true,
          (error: unknown) => {
            if (isKorriganError(error)) return false;
            throw error;
          },
        );
        (isTold ? told : silent).push(name);
      }
      return { nodes: told, silent };
    },
  };
}

/** @throws KorriganError KRG_NODE_NOT_ONLINE when the node that is asked does not take part itself */
function checkTakesPart(view: View, self: number): void {
  const own = view.nodes.find(({ id }) => id === self);
  if (own?.state === 'online' || own?.state === 'leaving') return;
  throw new KorriganError('KRG_NODE_NOT_ONLINE', `${own?.name ?? 'this node'} is not online itself; ask a node that is (--at NODE)`);
}

/** @throws KorriganError KRG_NO_SUCH_NODE */
function find(membership: Membership, references: readonly string[]): NodeRecord[] {
  return [...new Map(references.map((reference) => membership.find(reference)).map((node) => [node.id, node])).values()];
}

/** Empties a node that is leaving already, and takes it out; or it stays. */
async function remove(
  options: MembershipOptions,
  node: NodeRecord,
  { kill, deadlineSeconds, leave }: RemoveNodesRequest,
  onProgress: (progress: DrainProgress) => void,
  abort: AbortSignal,
): Promise<DrainResult> {
  const { membership, hotPlug, rpc, events, sync } = options;
  const { id, name } = node;
  const emptying = new Drain({ rpc, membership, node, deadlineSeconds, onProgress, abort });
  const result = (outcome: DrainResult['outcome'], rest: Pick<DrainResult, 'immovable' | 'error'>): DrainResult => ({
    node: name,
    outcome,
    moved: emptying.moved,
    ...rest,
  });
  try {
    let immovable = await emptying.run();
    if (immovable.length > 0 && !kill) {
      await hotPlug.change((view) => keep(view, id));
      events.record('node.kept', `${name} stays: ${immovable.length} processes cannot be moved away`);
      return result('kept', { immovable });
    }
    if (immovable.length > 0) immovable = await emptying.kill();
    // A node that does not answer keeps nothing either.
    await sync.empty(id).catch(ignoreKorriganError);
    const after = await hotPlug.change((view) => removed(view, id));
    if (after.nodes.find((record) => record.id === id)?.state !== 'present')
      throw new KorriganError('KRG_CANCELLED', `${name} was not taken out: somebody else has decided otherwise`);
    await hotPlug.settled();
    if (leave) await endRemoved(options, node);
    return result(leave ? 'left' : 'removed', { immovable });
  } catch (error) {
    if (!isKorriganError(error)) throw error;
    await hotPlug.change((view) => keep(view, id));
    await sync.keep(id).catch(ignoreKorriganError);
    return result('kept', { immovable: [], error: errorToJSON(error) });
  }
}

function ignoreKorriganError(error: unknown): void {
  if (!isKorriganError(error)) throw error;
}

/** Ends a node that takes part no more. One that came with a token is forgotten. */
async function endRemoved({ membership, hotPlug, rpc }: MembershipOptions, { id, name, isJoined }: NodeRecord): Promise<void> {
  await rpc.call(id, endCall, { ending: 'leave' }, { deadlineMs: END_MILLISECONDS });
  for (const until = performance.now() + GONE_MILLISECONDS; membership.byId(id).state !== 'possible'; await delay(AGAIN_MILLISECONDS))
    if (performance.now() > until) throw new KorriganError('KRG_DEADLINE', `${name} takes part no more, but it does not end`);
  if (isJoined === true) await hotPlug.change((view) => forget(view, id));
}
