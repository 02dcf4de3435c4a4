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
 * * A node serves nobody when its lease has run out: others may have gone on without it.
 *
 * Files: `identity`, `states`, `entry`, `messages`, `operations`, `linker` (words) · `client`, `holds` and `waiters` (local operations) · `owner` (requests for copies) · `answers` · `first-touch` · `invalidation` ·
 * `removal` · `eviction` · `replicas` · `sets` and `set-directory` (sets, homes, names) · `reconfiguration` with `reports` and `resolution` (membership changes) · `delivery` · `events`,
 * `object-messages` and `kddm-node` (the dispatcher) · `statistics`. `mutations` are breaks of the protocol that only the simulator makes.
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
export type { Statistics } from './statistics.ts';
export { lifeOf, livesOf } from './service/epochs.ts';
export { Hold } from './service/hold.ts';
export { Kddm, type KddmOptions, type SetOptions } from './service/kddm.ts';
export type { KddmState } from './service/membership.ts';
export { type GetOptions, type GrabOptions, KddmSetHandle, type WaitOptions } from './service/set-handle.ts';
export { slowLinker, type SlowLinkerOptions } from './service/slow-linker.ts';
