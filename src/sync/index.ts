/**
 * sync: locks (shared and exclusive), semaphores, condition variables, barriers and unique numbers for the whole cluster, on objects of kddm.
 *
 * All things lie in *tables*, the objects of one set with two replicas: a name falls to a table, and who changes a thing grabs the table, makes another one of it and puts that. What is
 * decided is pure, one file for each kind. Whoever waits sleeps on its own node; who changes the table tells the nodes of those who have got something. Rules:
 *
 * * First come, first served, for every kind. The order is that in which claims come into the table.
 * * The truth is in the table. A notice may get lost: who waits looks again after every change of the membership, and now and then. What the thing itself does not tell afterwards (a semaphore
 *   does not know who took its units) is kept as an answer until the node of the claim has acknowledged it.
 * * A claim names its node, the life of that node's daemon, and an epoch in which it took part. By these every node knows alike who is dead, and whoever opens a table purges it first.
 * * Who dies with a lock that it had for itself leaves it *inconsistent*: the next who gets it is told (EOWNERDEAD), and says when it is repaired; if it gives it up without that, the lock is
 *   not recoverable for anybody (ENOTRECOVERABLE) until it is removed. A client's end and a node's end are the same in this.
 * * Grants of a lock carry tokens that only grow, for fencing: a node that was taken for dead cannot stop the programs that run there.
 * * A client is answered when the table is where it would survive: after the put with its backups.
 *
 * Files: `lock`, `semaphore`, `condition`, `barrier` (the kinds, with `outcomes`) · `owners` (who, and who is dead) · `table` · `actions` (what is done to a table) · `events` · `claims` (of this node's clients) ·
 * `work` (grab, change, put) · `beginnings`, `sync-node` (the machine: `step(event, now) → effects`) · `mutations` (breaks that only the simulator makes) ·
 * `deadlocks` (who waits for whom in a circle) · `unique-ids` · `service/` (over kddm and rpc, for clients of this node).
 */
export { type Deadlock, type Wait } from './deadlocks.ts';
export type { Client, Notice, Reply, Request, SyncEffect, SyncEvent } from './events.ts';
export { noticeSchema } from './events.ts';
export { SYNC_MUTATIONS, type SyncMutation } from './mutations.ts';
export { SyncNode, type SyncNodeOptions } from './sync-node.ts';
export type { Owner } from './owners.ts';
export { keyOf, keyParts, SYNC_NAMESPACE, SYNC_SET, SYNC_SET_RECORD, type Table, tableLinker, tableOf } from './table.ts';
export { Sync, type SyncOptions } from './service/sync.ts';
export { type AskOptions, SyncClient } from './service/sync-client.ts';
