/**
 * capability: which of the cluster's features a process may use, as four sets of Kerrighed's capabilities. A process has them from its birth, gives its
 * children what is inheritable, keeps them over execve(2) and takes them along when it moves.
 *
 * Rules: the sets lie in the kernel, with the process, in the name of its control group (`group-name`, `placement`): there is no table to keep up to date, and fork(2)
 * costs nothing. What sets may become is pure (`sets`), and so is what the configuration says (`policy`). Those who act on a process ask `process-capabilities`
 * by name; a refusal says which capability is missing and how to grant it (`refusals`). `names` loads nothing, for the command line.
 */
export * from './group-name.ts';
export * from './names.ts';
export * from './placement.ts';
export * from './policy.ts';
export * from './process-capabilities.ts';
export * from './sets.ts';
