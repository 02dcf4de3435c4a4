/**
 * fs: open files of processes that move. Examines them (a verdict for each), captures them from frozen processes as plain data, opens
 * them again in pid 1 of the target's container, and delivers them to the processes being restored.
 *
 * Rules: an open file description is captured once, however many descriptors and processes share it. A file is opened again only
 * where the node sees the same one. What no kind knows is refused by name. Capture changes nothing: a failed move leaves
 * the source as it was. Kinds of files stand in kinds/, one file each, with both halves; streams adds its own.
 */
export * from './ahead.ts';
export * from './capture.ts';
export * from './identity.ts';
export * from './image.ts';
export * from './install.ts';
export * from './kind.ts';
export * from './kinds/index.ts';
export { giveUpLock, takeLock } from './locks.ts';
export type { OutsideHolder, OutsideHolders } from './outside.ts';
export * from './sharing.ts';
export * from './store.ts';
export * from './survey.ts';
export * from './verdict.ts';
