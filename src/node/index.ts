/**
 * node: the daemon of a node (krgd) and clusters of daemons on one machine. `node.ts` constructs the modules and joins them;
 * `services/` answers users and other nodes; `api/` is the HTTP API; `krgd.ts` is the process.
 */
export * from './cluster.ts';
export * from './api/index.ts';
export { daemonCgroup, daemonPid } from './supervision.ts';
