/**
 * calls: system calls of programs here that name processes, groups or users of other nodes. Decides for each who answers it: the kernel here (the process is
 * here, or its husk does as well), or the node where the process runs, on which pid 1 makes the same call with the caller's credentials, so that rights and errors
 * are those of its kernel.
 *
 * Rules: the caller waits as long as the answer takes, and finds what kill(2) and the like return for a process that is gone when no node has it. A call is made
 * once, whatever becomes of the links. Nothing is written to the caller's memory after he has stopped waiting.
 */
export * from './trapped.ts';
