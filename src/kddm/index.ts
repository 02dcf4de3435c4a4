/**
 * kddm: coherent sets of objects, shared by the nodes of the cluster (Kerrighed's Kernel Distributed Data Manager, in user space).
 *
 * A node *gets* an object to read it and *grabs* it to write it; both freeze it where they are until it is *put*. There are many readable copies or
 * one writable one. Each object has one owner, which moves with the write right; every other node has a hint of where it is (`probOwner`), and
 * requests follow hints. The *home* of an object (its default owner) answers for what has no owner: it lets the first who asks create it.
 *
 * `KddmNode` is the protocol of one node, pure and deterministic: `step(event, now)` returns effects (send, complete, fill …). It reads no clock, no
 * network and no randomness; the shell around it and the simulator in `sim/` run the same code. Rules:
 *
 * * Within an epoch each link is FIFO and loses nothing. Who ends a membership, or knows that a link lost a message, begins a new epoch at every member;
 *   messages of older epochs are dropped, those of newer ones wait, and what was asked is asked again when the reconfiguration is complete.
 * * A copy is named by the serial of the request that it answered. Invalidations and their acknowledgements name the copy, so that one that is late
 *   or doubled does no harm. Ownership is counted in terms, and a hint is only replaced by one of a later term.
 * * Who hands an object over keeps what it held (`handedOver`) until the other has confirmed it: a message that is lost with its epoch loses no object.
 * * Local operations are served before what other nodes asked for meanwhile (Kerrighed's *pinned*): who waited has its chance.
 * * A reconfiguration asks all members what they hold and decides at each object's home: the owner of the latest term, else who handed it over
 *   to somebody who lives and has not received it, else a holder of a copy, else a backup that must be current, else the object is LOST. An object of
 *   which nothing is known any more, because its home died too, is LOST as well (`unknownAfterCrash`), until it is removed; that it was, its home alone remembers.
 *   A copy that is evicted or invalidated on a node which has not heard yet that the owner died is none that is left: only replicas help against that.
 * * A node serves nobody when its lease has run out: others may have gone on without it.
 *
 * * Nobody acts on a decision of a reconfiguration before all have carried it out (KDDM_BARRIER). A removal is made once, however often it is asked: an object that was created in
 *   a later epoch than the one in which the removal began, is left alone. What a home has asked before it let an object be created again, is not answered (`asOf`).
 * * Where there are replicas, who had a backup remembers a removal until it is complete, and the loss of an object. Backups that leave with their node count as lost until all have recovered.
 * * A set's id is used once: that a set was destroyed is remembered through the next reconfiguration (`destroyed-sets`).
 *
 * Kerrighed's API here: get, grab, put, find, set_object, remove, remove_frozen, flush, sync_frozen are operations of the same names; `async_`, `_no_ft`, `_manual_ft`, `_no_lock`, `try_` and grab_cow
 * are `async`, `noFirstTouch`, `manualFirstTouch` (grab: who creates an object writes it), `noLock`, `tryGrab` and `copyOnWrite`, COPY_ON_READ is `copyOnRead`; flush_set is `flush-set`; create_new_set, find
 * and destroy are `create-set`, `find-set`, `find-name` and `destroy-set`; to iterate over the objects that are here, read `set(…).entries`. The default owner of an object is a fixed node, round-robin, of
 * a unique id, or the linker's (`custom`). Beyond it: replicas, declared loss, `timeToLive`, `watch`, and which objects move most (`statistics.moved`).
 *
 * Files: `identity`, `states`, `entry`, `messages`, `operations`, `linker` (words) · `client`, `holds`, `short-path` and `waiters` (local operations) · `owner` (requests for copies) · `answers` · `first-touch` · `invalidation` ·
 * `removal` · `eviction` and `flush-set` · `expiry` · `replicas` · `sets`, `set-directory` and `destroyed-sets` (sets, homes, names) · `watches` · `reconfiguration` with `history`, `reports`, `parts` and `resolution`
 * (membership changes) · `delivery` · `events`, `object-messages`, `node-context` and `kddm-node` (the dispatcher) · `statistics` and `hot-objects`. `mutations` are breaks of the protocol that only the simulator makes.
 *
 * `service/` is the shell. `Kddm` is constructed with the node's RPC and has a `stage` for hotplug; sets are `KddmSetHandle`s, typed by their linkers, and what they give are `Hold`s. Rules:
 *
 * * All nodes have the same linkers, by name, before they take part: a set whose linker is missing is not there.
 * * Nobody waits for an object in a stage of hotplug. While the membership changes, and without a lease, operations wait; with a signal they are given up.
 * * A hit is synchronous (`getNow`); `get` awaits what is not here. Contents are shared with the linker, not copied: only who grabbed one changes it.
 * * `channel` (nothing is lost between two lives) · `packets` (the wire) · `courier` (links) · `epochs`, `lease`, `membership` · `engine` (effects) · `kddm`, `set-handle`, `hold`, `slow-linker`, `failures`.
 */
export type { NodeId } from '../rpc/index.ts';
export type { Entry } from './entry.ts';
export type { KddmEffect, KddmEvent } from './events.ts';
export { FIRST_FREE_SET, nodeOfId, type ObjectId, type SetId, uniqueId } from './identity.ts';
export { KddmNode, type KddmNodeOptions } from './kddm-node.ts';
export { type IoLinker, LATER, memoryLinker } from './linker.ts';
export { type Envelope, type HomePolicy, type Message, parseEnvelope, type SetRecord } from './messages.ts';
export { type Mutation, MUTATIONS } from './mutations.ts';
export type { FailureCode, ObjectOperation, Result, SetOperation, Variant } from './operations.ts';
export { homeOf, type KddmSet } from './sets.ts';
export { isOwner, isReadable, isWritable, type State } from './states.ts';
export type { HotObject } from './hot-objects.ts';
export type { Statistics } from './statistics.ts';
export { lifeOf, livesOf } from './service/epochs.ts';
export { Hold } from './service/hold.ts';
export { Kddm, type KddmOptions, type SetOptions } from './service/kddm.ts';
export type { KddmState } from './service/membership.ts';
export { type GetOptions, type GrabOptions, KddmSetHandle, type WaitOptions } from './service/set-handle.ts';
export { slowLinker, type SlowLinkerOptions } from './service/slow-linker.ts';
