/** The capabilities of processes for users: on the node where a process runs, by the rights that kill(2) asks for. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import {
  type Capabilities,
  DISABLEABLE_NAMES,
  effectiveNames,
  NOT_DISABLED,
  type ProcessCapabilities,
  SET_NAMES,
  SUPPORTED_NAMES,
} from '../../capability/index.ts';
import type { Membership } from '../../hotplug/index.ts';
import { KorriganError } from '../../linux/errors.ts';
import { readProcessFile, readStat, readStatus } from '../../linux/index.ts';
import type { ProcService } from '../../proc/index.ts';
import { defineCall, type RpcNode } from '../../rpc/index.ts';
import { changeCapabilitiesRequest } from '../api/schemas.ts';
import type { Caller, CapabilityReport } from '../api/types.ts';
import { whereItRuns } from './whereabouts.ts';
import type { CapabilityServices } from './services.ts';

const count = z.int().min(0);
const report = z.object({
  pid: z.int(),
  sets: z.record(z.enum(SET_NAMES), z.int()),
  isGiven: z.boolean(),
  disabled: z.record(z.enum(DISABLEABLE_NAMES), count),
  denied: z.array(z.object({ capability: z.enum(SUPPORTED_NAMES), rule: z.string() })),
  counting: z.array(z.enum(SUPPORTED_NAMES)),
});
const asked = z.object({ pid: z.int(), uid: z.int() });

const showCapabilities = defineCall('node.capabilities', asked, report);
const changeCapabilities = defineCall(
  'node.change-capabilities',
  asked.extend({ ...changeCapabilitiesRequest.omit({ pid: true }).shape }),
  report,
);

export interface CapabilityOptions {
  readonly cluster: string;
  readonly membership: Membership;
  readonly rpc: RpcNode;
  readonly proc: ProcService;
  readonly capabilities: Capabilities;
}

const INIT = 1;

export function createCapabilities(options: CapabilityOptions): CapabilityServices {
  const { cluster, membership, rpc, proc, capabilities } = options;
  serve(options);
  const named = (node: number, found: z.output<typeof report>): CapabilityReport => ({ ...found, node: membership.nameOf(node) });

  return {
    capabilities: async (caller, { pid = parentOf(caller, cluster) }) => {
      // What it would give to a child.
      if (pid === INIT) {
        const found = { pid, sets: capabilities.initial, isGiven: false, disabled: NOT_DISABLED, denied: [] };
        return { ...found, counting: effectiveNames(found), node: membership.self.name };
      }
      return whereItRuns(proc, pid, async (node) => named(node, await rpc.call(node, showCapabilities, { pid, uid: caller.uid })));
    },

    changeCapabilities: async (caller, { pid = parentOf(caller, cluster), ...changes }) => {
      if (pid === INIT) throw new KorriganError('KRG_PERMISSION', 'the capabilities of the first process of a container cannot be changed');
      return whereItRuns(proc, pid, async (node) => {
        const request = { pid, uid: caller.uid, ...changes };
        return named(node, await rpc.call(node, changeCapabilities, request, { idempotencyKey: randomUUID() }));
      });
    },
  };
}

/** Does for other nodes, and for this one, what concerns processes that run here. */
function serve({ rpc, proc, capabilities }: CapabilityOptions): void {
  const checkHere = (pid: number): void => {
    if (proc.isHusk(pid))
      throw new KorriganError('KRG_PROCESS_ELSEWHERE', `process ${pid} runs on another node, or is on its way; try again`);
  };
  const answer = (found: ProcessCapabilities): z.input<typeof report> => ({
    ...found,
    denied: [...found.denied],
    counting: effectiveNames(found),
  });
  rpc.handle(showCapabilities, ({ pid, uid }) => {
    checkHere(pid);
    capabilities.checkRights(pid, uid);
    return answer(capabilities.of(pid));
  });
  rpc.handle(changeCapabilities, ({ pid, uid, changes, disable, enable }) => {
    checkHere(pid);
    if (changes.length > 0) capabilities.change(pid, uid, changes);
    else capabilities.checkRights(pid, uid);
    for (const capability of disable) capabilities.disable(pid, uid, capability);
    for (const capability of enable) capabilities.enable(pid, uid, capability);
    return answer(capabilities.of(pid));
  });
}

/**
 * The parent of who asks, by its pid in the cluster: Kerrighed's commands act on the shell that calls them.
 * @throws KorriganError KRG_PERMISSION outside a container
 */
function parentOf({ pid }: Caller, cluster: string): number {
  const parent = readStat(pid)?.parent ?? 0;
  // From the outermost namespace inwards: the machine's, then that of the container.
  const [, inside] = (readStatus(parent)?.get('NSpid') ?? '').split(/\s+/).map(Number);
  const group = /^0::(.*)$/m.exec(readProcessFile(parent, 'cgroup') ?? '')?.[1] ?? '';
  if (inside !== undefined && new RegExp(`/korrigan/${cluster}/node\\d+/(init|processes)(/|$)`).test(group)) return inside;
  throw new KorriganError('KRG_PERMISSION', 'this was not called by a process of the cluster; name the process that is meant by its pid');
}
