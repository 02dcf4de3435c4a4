/**
 * node: the daemon of a node (krgd) and clusters of daemons on one machine. `node.ts` constructs the modules and joins them;
 * `services/` answers users and other nodes; `api/` is the HTTP API; `krgd.ts` is the process, `supervision` keeps it alive. `newcomers` and `join` are
 * both sides of a machine that joins a running cluster.
 */
export * from './cluster.ts';
export * from './api/index.ts';
export { daemonCgroup, daemonPid } from './supervision.ts';
