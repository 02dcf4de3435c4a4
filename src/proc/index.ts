/**
 * proc: what keeps a family whole when one of it runs on another node. A *husk* is the stand-in of a process that runs elsewhere: the
 * same task where it was born, emptied to two pages, parked in a wait for signals, which it passes on as records.
 *
 * Rules: a husk runs nothing of the program. It has all signals blocked, one descriptor (the node's record pipe; that of a
 * session's leader keeps the session's terminal beside it), and ends only with the
 * status that its process ended with elsewhere. Who holds a husk by ptrace puts it back into its loop before letting go. Only the monitor's thread
 * holds husks, and a ghost worker those that are about to become processes; the monitor has let go of them before.
 *
 * From below: the husk (`husk-body`, `held-husk`, `deflate`, `husk-end`) · families (`relatives`, `husk-plan`, `husk-family`, `family-description`) · the monitor
 * (`husk-monitor`, `end-watch`; `husk-keeper` is its end on the main thread) · what nodes tell each other (`messages`, `outbox`, `directory`, `news`,
 * `signal-post`, `group-signals`, `registration`, `reconciliation`, `tidying`) · `calls/` for programs that name processes of other nodes · `service`.
 */
export * from './deflate.ts';
export * from './family-description.ts';
export * from './held-husk.ts';
export { HUSK_ADDRESS, HUSK_LOOP, HUSK_SIZE, markRecord, type SignalRecord } from './husk-body.ts';
export * from './husk-end.ts';
export * from './husk-family.ts';
export * from './husk-monitor.ts';
export * from './husk-plan.ts';
export type { MonitorEvent } from './monitor-events.ts';
export { ContainerTable } from './process-table.ts';
export * from './records.ts';
export * from './relatives.ts';
export type { ProcServiceOptions } from './node-families.ts';
export type { Resident } from './residents.ts';
export * from './service.ts';
export * from './template.ts';
