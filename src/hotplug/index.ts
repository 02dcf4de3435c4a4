/**
 * hotplug: who is in the cluster.
 *
 * The nodes agree on a record of themselves; `HotPlug` is the part of one node: it says that it lives, hears of the others, and takes the node's modules from
 * record to record. What decides is pure:
 *
 * * `view`: the record of the cluster (nodes, states, lives, epoch) and every change of it, with the reasons for which one is refused.
 * * `register`: how the members agree on that record without another service, by majorities; a side without one can change nothing.
 * * `register-store` (calls in `register-calls`, disk in `acceptor-file`): the register over RPC, behind the interface of `store`.
 * * `etcd-store` (over `etcd-client`): the same record in etcd.
 * * `detector`: signs of life, suspicion, death by the word of a majority, and whether this node hears of a majority itself.
 * * `stages`: how all modules go from one view to the next, in their order; `hot-plug` joins all of these on one node.
 * * `membership`: the nodes by name and id, for those who name them.
 * * `clock`: time, for those of them that wait; the simulator in `sim/` has another one, and other links and disks.
 *
 * Rules: a *life* is a container, with all that runs in it. Whoever declares a node dead declares that life dead, and it never comes back: a node that hears that its own is over ends
 * everything in it (it is *fenced*), and returns with another one. A daemon that is started again in the same life goes on with it, and is waited for as long as its container, which
 * holds the port, lives.
 * Who asks for a change is in `node/`: services/membership, services/drain and newcomers.
 */
export { type Clock, machineClock } from './clock.ts';
export { createDetector, DETECTION, stepDetector } from './detector.ts';
export { EtcdStore, removeRecord } from './etcd-store.ts';
export { HotPlug, type HotPlugOptions } from './hot-plug.ts';
export * from './membership.ts';
export { type AcceptorDisk, type RegisterProtocol, RegisterStore, type RegisterStoreOptions } from './register-store.ts';
export * from './register.ts';
export { type Stage, type Transition, transitionOf } from './stages.ts';
export type { ClusterStore } from './store.ts';
export * from './view.ts';
