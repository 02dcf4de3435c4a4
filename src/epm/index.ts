/**
 * epm: enhanced process management; in this cut, migration. A move has two phases: everything is brought to the target and held there,
 * stopped, until the source has decided; whatever fails before that decision leaves the processes running where they were.
 *
 * `hand-over` is the decision, pure; `source` and `target` are the engines, blocking, in ghost workers (`worker`, `workers`); `service` is the
 * daemon's side. What the engines need of the modules below is written down in `parts`. What a parent has heard of its children it hears once
 * (`arriving-stops`).
 */
export { FAULT_POINTS, type FaultPoint } from './fault-points.ts';
export type { Migration } from './departures.ts';
export * from './hand-over.ts';
export { JournalEntry, type JournalSlots, type SourceRecord, type TargetRecord } from './journal.ts';
export { processesOfContainer } from './relations.ts';
export * from './service.ts';
export { Settlements, type SettlementsOptions } from './settlements.ts';
export type { Settlement } from './settle.ts';
export type { MigrationReport } from './source.ts';
export { GhostWorkers } from './workers.ts';
