/** Migration and its preflight for users: on the node where the process runs, by whom the process belongs to. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Capabilities } from '../../capability/index.ts';
import { examineProcess } from '../../ghost/index.ts';
import type { Container } from '../../container/index.ts';
import type { MigrationService } from '../../epm/index.ts';
import type { Membership } from '../../hotplug/index.ts';
import { errorToJSON, isKorriganError, KorriganError, toKorriganError } from '../../linux/errors.ts';
import { readProcessFile } from '../../linux/index.ts';
import type { ProcService } from '../../proc/index.ts';
import { defineCall, type RpcNode } from '../../rpc/index.ts';
import type { Caller, Explanation, MigrationResult } from '../api/types.ts';
import type { EventLog } from '../events.ts';
import { memberFor } from './members.ts';
import { ownerOf } from './process-list.ts';
import type { MigrationServices } from './services.ts';
import { noSuchProcess, whereItRuns } from './whereabouts.ts';

const moved = z.object({
  pids: z.array(z.number()),
  downtimeMicroseconds: z.number(),
  totalMicroseconds: z.number(),
  bytes: z.number(),
  preCopyRounds: z.number(),
});
/** Asks the node on which a process runs to move it; null when it is the target. */
export const migrateProcess = defineCall(
  'node.migrate',
  z.object({ pid: z.int(), target: z.int(), tree: z.boolean(), uid: z.int() }),
  moved.nullable(),
);
const resource = z.object({
  pid: z.number(),
  resource: z.string(),
  verdict: z.enum(['moves', 'reconnects', 'relayed', 'lost', 'refused']),
  detail: z.string(),
  reason: z.string(),
});
const explainProcess = defineCall(
  'node.explain',
  z.object({ pid: z.int(), uid: z.int() }),
  z.object({ command: z.string(), resources: z.array(resource) }),
);

export interface MigrationOptions {
  readonly membership: Membership;
  readonly container: Container;
  readonly rpc: RpcNode;
  readonly proc: ProcService;
  readonly epm: MigrationService;
  readonly capabilities: Capabilities;
  readonly events: EventLog;
}

export function createMigration(options: MigrationOptions): MigrationServices {
  const { membership, rpc, proc } = options;
  serveMigration(options);
  const nameOf = (id: number): string => membership.nameOf(id);

  const migrateOne = async (caller: Caller, pid: number, target: number, tree: boolean): Promise<MigrationResult> => {
    try {
      const { from, result } = await whereItRuns(proc, pid, async (node) => ({
        from: node,
        // A link that is lost meanwhile is no reason to ask twice, nor to fail.
        result: await rpc.call(node, migrateProcess, { pid, target, tree, uid: caller.uid }, { idempotencyKey: randomUUID() }),
      }));
      if (result === null) return { outcome: 'already-there', pid, to: nameOf(target) };
      const { pids, preCopyRounds: rounds, ...figures } = result;
      return { outcome: 'moved', pid, from: nameOf(from), to: nameOf(target), moved: pids, rounds, ...figures };
    } catch (error) {
      return { outcome: 'failed', pid, error: errorToJSON(toKorriganError(error)) };
    }
  };

  return {
    migrate: async (caller, { pids, node, tree }, onProgress) => {
      const target = memberFor(membership, node).id;
      const results: MigrationResult[] = [];
      for (const pid of pids) {
        onProgress({ pid, phase: 'preflight' });
        results.push(await migrateOne(caller, pid, target, tree));
      }
      return results;
    },

    explain: async (caller, { pid, node }): Promise<Explanation> => {
      const { at, command, resources } = await whereItRuns(proc, pid, async (asked) => ({
        at: asked,
        ...(await rpc.call(asked, explainProcess, { pid, uid: caller.uid })),
      }));
      const movable = resources.every(({ verdict }) => verdict !== 'refused');
      return { pid, node: nameOf(at), command, target: node === undefined ? null : membership.find(node).name, movable, resources };
    },
  };
}

/** Does for other nodes, and for this one, what concerns processes that run here. */
function serveMigration({ rpc, container, epm, capabilities, events, membership }: MigrationOptions): void {
  rpc.handle(migrateProcess, async ({ pid, target, tree, uid }) => {
    checkOwner(container, pid, uid);
    if (target === rpc.id) return null;
    const migration = await epm.migrate(pid, target, tree);
    const to = membership.nameOf(target);
    events.record('migrated', `process ${pid} moved to ${to}, ${Math.round(migration.downtimeMicroseconds)} us down`, pid);
    return { ...migration, pids: [...migration.pids] };
  });
  rpc.handle(explainProcess, ({ pid, uid }) => {
    checkOwner(container, pid, uid);
    const hostPid = container.hostPidOf(pid) ?? 0;
    const command = (readProcessFile(hostPid, 'cmdline') ?? '').replaceAll('\0', ' ').trim();
    const files = epm.explainFiles(pid);
    const findings = [...missingCapability(capabilities, pid), ...examineProcess(hostPid), ...files];
    return {
      command,
      resources: findings.map(({ resource: what, verdict, reason }) => ({ pid, resource: what, verdict, detail: '', reason })),
    };
  });
}

/** What `krg explain` says where the process may not be moved whatever it holds. */
function missingCapability(capabilities: Capabilities, pid: number): { resource: string; verdict: 'refused'; reason: string }[] {
  try {
    capabilities.checkMigrate(pid);
    return [];
  } catch (error) {
    if (!isKorriganError(error, 'KRG_CAPABILITY_MISSING')) throw error;
    return [{ resource: 'capability CAN_MIGRATE', verdict: 'refused', reason: error.message }];
  }
}

/** @throws KorriganError KRG_NO_SUCH_PROCESS, KRG_NOT_YOUR_PROCESS */
function checkOwner(container: Container, pid: number, uid: number): void {
  const owner = pid <= 1 ? undefined : ownerOf(container, pid);
  if (owner === undefined) throw noSuchProcess(pid);
  if (uid !== 0 && uid !== owner)
    throw new KorriganError('KRG_NOT_YOUR_PROCESS', `process ${pid} belongs to another user; only root may move it`);
}
