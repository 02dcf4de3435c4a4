/**
 * api: the HTTP API of a node, as its users see it: the client, what it answers, and where the clusters of this machine are found.
 * Kept light, because every `krg` command loads it: the server's side (`server.ts`, `services.ts`, `schemas.ts`) is for `src/node` alone.
 */
export * from '../../capability/names.ts';
export * from './client.ts';
export * from './cluster-description.ts';
export type { AttachedProcess } from './run-connection.ts';
export { type Codec, jsonCodec, type OpenOptions, SharedHold, SharedObjects, SharedSet } from './shared-objects.ts';
export type { RunRequest, TerminalRequest } from './schemas.ts';
export { type HeldLock, type HeldUnits, SyncSession, type WaitOptions } from './sync-session.ts';
export type * from './sync-types.ts';
export type * from './types.ts';
