/**
 * procfs: /proc in the containers is that of the cluster. It shows the processes of all nodes, each once, from the node where it runs; one machine with all their
 * processors and all their memory; and the nodes, in /proc/nodes.
 *
 * It is a file system in user space, whose protocol a thread of the daemon speaks itself (`server-worker`, `server`). Pid 1 has mounted it over /proc, so that the kernel names
 * callers by their pids in the container, and holds /dev/fuse, so that a daemon that dies leaves requests to the next one; below it, on /proc/.real, is the node's own procfs. A process
 * of this node is a link into that: its files are the kernel's, magic links and permissions included. A process elsewhere is a directory whose files its node reads at each look.
 *
 * Rules: the daemon never looks below the mount. What is of this node alone is answered by the serving thread without anybody's help, since pid 1 and the main thread
 * may be waiting for it; pid 1's own programs take their procfs from a descriptor (INIT_PROCFS_FD). Node ids say by themselves which file they are (`places`), so that no state is lost with a daemon.
 * Another node looks with the rights of the caller (`process-reader`), so that its kernel decides what he may see. Nobody waits for a node longer than a second (`nodes`, `questions`).
 *
 * From below: `entries`, `places` (what there is) · `cluster-files` (many machines as one) · `messages` · `process-reader`, `node-reader` with `reader-worker`, `reader` (this node, for all) · `nodes`, `answers`
 * (all nodes, for this one) · `scans` (reading ahead), `listing`, `local-procfs`, `questions`, `server` with `server-worker`, `server-thread` · `service`.
 */
export { clusterProcessor, PROCESSORS_PER_NODE } from './cluster-files.ts';
export * from './service.ts';
