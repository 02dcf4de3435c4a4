/**
 * Who is in the cluster, as all nodes agree on it, and how that changes. Pure. The states are Kerrighed's: *possible* (known, but not up), *present*
 * (its daemon is up and enrolled), *online* (it takes part in all that is shared), and *leaving*, which is online while it is being emptied.
 *
 * Rules: every change of who takes part, and with which daemon, begins a new epoch. A node that crashed is possible again, and the *life* that it had then (of its container,
 * with all processes) is over for everybody: it comes back only with another one.
 */
import { z } from 'zod';
import { KorriganError } from '../linux/errors.ts';
import type { NodeId } from '../rpc/index.ts';

const nodeRecord = z
  .object({
    id: z.int().positive(),
    name: z.string(),
    /** Host and port of its RPC. */
    address: z.string(),
    port: z.int(),
    state: z.enum(['possible', 'present', 'online', 'leaving']),
    /** Names the container that it has, or had when it was last up; empty until it has said so. */
    life: z.string(),
    /** Names its daemon, whose memory is lost when it ends: another daemon in the same life begins an epoch, too. */
    daemon: z.string().optional(),
    /** The life in which it was declared dead. */
    lost: z.string().optional(),
    /** It was taken out on purpose: a daemon that is started again does not come online by itself. */
    isOut: z.boolean(),
    /** It came with a token, and is forgotten when it leaves. */
    isJoined: z.literal(true).optional(),
  })
  .readonly();

export const viewSchema = z
  .object({
    /** Of the set of nodes that take part; 0 before there were any. */
    epoch: z.int().nonnegative(),
    /** By id. */
    nodes: z.array(nodeRecord).readonly(),
  })
  .readonly();

export type View = z.infer<typeof viewSchema>;
export type NodeRecord = View['nodes'][number];
export type NodeState = NodeRecord['state'];

/** Those that take part: they decide what the view is, and hold what is shared. */
export function membersOf({ nodes }: View): NodeId[] {
  return nodes.filter(takesPart).map(({ id }) => id);
}

/** Serialises what concerns all nodes: the first of those that take part. */
export function coordinatorOf(view: View): NodeId | undefined {
  return membersOf(view)[0];
}

/** What a node says of itself. */
export type OwnRecord = Pick<NodeRecord, 'id' | 'name' | 'address' | 'port' | 'life' | 'daemon'>;

/**
 * A daemon is up. That an earlier life of its node is over it knows best: the container is gone.
 * @throws KorriganError KRG_NODE_FENCED when the others take this life for dead
 */
export function appear(before: View, node: OwnRecord): View {
  const earlier = before.nodes.find(({ id }) => id === node.id);
  if (earlier?.lost !== undefined && earlier.lost === node.life)
    throw new KorriganError(
      'KRG_NODE_FENCED',
      `${node.name} was declared dead while it could not be reached, and others took its processes for killed; they have to end before it may come back`,
    );
  const isAnotherLife = earlier !== undefined && earlier.life !== '' && earlier.life !== node.life;
  const view = isAnotherLife ? declareDead(before, node.id, earlier.life) : before;
  const known = view.nodes.find(({ id }) => id === node.id);
  const state = known === undefined || known.state === 'possible' ? 'present' : known.state;
  return withNode(view, { isOut: false, ...known, ...node, state });
}

/** A daemon is up, and its node takes part unless it was taken out. @throws KorriganError KRG_NODE_FENCED */
export function comeUp(before: View, node: OwnRecord): View {
  const view = appear(before, node);
  const { state, isOut } = nodeOf(view, node.id);
  return state === 'present' && !isOut ? add(view, [node.id]) : view;
}

/** A node that is not up yet is known, so that it may come. @param isOut it waits then until it is added @param isJoined it comes with a token */
export function introduce(view: View, node: Pick<OwnRecord, 'id' | 'name' | 'address' | 'port'>, isOut: boolean, isJoined = false): View {
  const known = view.nodes.find(({ id }) => id === node.id);
  if (known !== undefined && known.state !== 'possible') return view;
  return withNode(view, { life: '', isOut, ...(isJoined ? { isJoined } : {}), ...known, ...node, state: 'possible' });
}

/** A node is known no more. @throws KorriganError KRG_NODE_ONLINE while it takes part */
export function forget(view: View, id: NodeId): View {
  const node = view.nodes.find((candidate) => candidate.id === id);
  if (node !== undefined && takesPart(node)) throw new KorriganError('KRG_NODE_ONLINE', `${node.name} is ${node.state}; drain it first`);
  return { ...view, nodes: view.nodes.filter((candidate) => candidate !== node) };
}

/**
 * A node ends, with all that runs there, and says so. The last one goes on to be a member: nobody else knows what the cluster is. That one which does not
 * take part has gone is an epoch, too: it may have been the home of processes elsewhere.
 */
export function depart(view: View, id: NodeId, life: string): View {
  if (!takesPart(nodeOf(view, id))) return renew(vanish(view, id));
  return membersOf(view).length === 1 ? view : declareDead(view, id, life);
}

/** A node that does not take part has gone. */
export function vanish(view: View, id: NodeId): View {
  const node = nodeOf(view, id);
  return node.state === 'present' ? withNode(view, { ...node, state: 'possible' }) : view;
}

/** Present nodes come online, all or none. @throws KorriganError KRG_NO_SUCH_NODE, KRG_NODE_ONLINE, KRG_NODE_NOT_PRESENT */
export function add(view: View, ids: readonly NodeId[]): View {
  return ids.reduce((changed, id) => {
    const node = nodeOf(changed, id);
    if (takesPart(node)) throw new KorriganError('KRG_NODE_ONLINE', `${node.name} is ${node.state} already`);
    if (node.state !== 'present') throw new KorriganError('KRG_NODE_NOT_PRESENT', `${node.name} is not up; start its daemon first`);
    return withNode(changed, { ...node, state: 'online', isOut: false });
  }, view);
}

/**
 * A node is to be emptied.
 * @param by the node that asks: it cannot remove itself, for it would not see the end
 * @throws KorriganError KRG_NO_SUCH_NODE, KRG_NODE_NOT_ONLINE, KRG_LAST_NODE, KRG_BAD_REQUEST
 */
export function drain(view: View, id: NodeId, by: NodeId): View {
  const node = nodeOf(view, id);
  if (id === by) throw new KorriganError('KRG_BAD_REQUEST', 'a node cannot remove itself; ask another one (--at NODE)');
  if (!takesPart(node)) throw new KorriganError('KRG_NODE_NOT_ONLINE', `${node.name} is not online`);
  if (membersOf(view).length === 1) throw new KorriganError('KRG_LAST_NODE', `${node.name} is the last node of the cluster`);
  return withNode(view, { ...node, state: 'leaving' });
}

/** It stays after all: not everything could be moved away. */
export function keep(view: View, id: NodeId): View {
  const node = nodeOf(view, id);
  return node.state === 'leaving' ? withNode(view, { ...node, state: 'online' }) : view;
}

/** A node that was being emptied is empty. */
export function removed(view: View, id: NodeId): View {
  const node = nodeOf(view, id);
  return node.state === 'leaving' ? withNode(view, { ...node, state: 'present', isOut: true }) : view;
}

/** A new epoch with the same nodes: begun by who knows that members have not got all that was said to them. */
export function renew(view: View): View {
  return { ...view, epoch: view.epoch + 1 };
}

/** Nobody hears of it any more. @param life that was meant: if the node has another one by now nothing is changed */
export function declareDead(view: View, id: NodeId, life: string): View {
  const node = nodeOf(view, id);
  return takesPart(node) && node.life === life ? withNode(view, { ...node, state: 'possible', lost: life }) : view;
}

/** Who takes part, and with which daemon. */
function members({ nodes }: View): string {
  return JSON.stringify(nodes.filter(takesPart).map(({ id, life, daemon }) => [id, life, daemon]));
}

function takesPart({ state }: NodeRecord): boolean {
  return state === 'online' || state === 'leaving';
}

/** @throws KorriganError KRG_NO_SUCH_NODE */
function nodeOf({ nodes }: View, id: NodeId): NodeRecord {
  const node = nodes.find((candidate) => candidate.id === id);
  if (node === undefined) throw new KorriganError('KRG_NO_SUCH_NODE', `the cluster has no node ${id}`);
  return node;
}

function withNode(view: View, node: NodeRecord): View {
  const nodes = [...view.nodes.filter(({ id }) => id !== node.id), node].toSorted((one, other) => one.id - other.id);
  const changed = { epoch: view.epoch, nodes };
  const isSame = members(view) === members(changed);
  return isSame ? changed : { ...changed, epoch: view.epoch + 1 };
}
