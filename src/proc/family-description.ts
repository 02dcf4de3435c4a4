/** A family as its node describes it to the one where some of it go: plain data. */
import { z } from 'zod';
import type { Appearance, ContainerTable } from './process-table.ts';
import { type Member, relativesOf } from './relatives.ts';

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'bytes');
const positive = z.number().int().positive();
const number = z.number().int();
const SIGCHLD = 17;

/** Checks what came from another node. */
export const familySchema = z.object({
  /** Those that move. */
  moving: z.array(positive).min(1),
  /** They and all relatives that the kernel must know beside them. */
  members: z.array(
    z.object({
      pid: positive,
      parent: number,
      group: number,
      session: number,
      ended: number.optional(),
      terminal: number.optional(),
      command: z.string(),
      commandLine: bytes,
      users: z.tuple([number, number]),
      exitSignal: number,
    }),
  ),
});

export type FamilyDescription = z.infer<typeof familySchema>;

/** @throws KorriganError KRG_NO_SUCH_PROCESS when one of those that are to move has ended */
export function describeFamily(moving: readonly number[], table: ContainerTable): FamilyDescription {
  const unknown: Appearance = { command: '', commandLine: new Uint8Array(), users: [0, 0], exitSignal: SIGCHLD };
  const members = relativesOf(moving, table).map((member) => {
    const { commandLine, users, ...appearance } = table.appearanceOf(member.pid) ?? unknown;
    return { ...member, ...appearance, commandLine: new Uint8Array(commandLine), users: [users[0], users[1]] as [number, number] };
  });
  return { moving: [...moving], members };
}

/**
 * Has nothing that the kernel knows about the family changed since it was described? That a relative which stays has ended is no change: its
 * husks hear of it as of every end.
 */
export function isSameFamily({ moving, members }: Pick<FamilyDescription, 'moving' | 'members'>, now: readonly Member[]): boolean {
  if (members.length !== now.length) return false;
  const before = new Map(members.map((member) => [member.pid, member]));
  return now.every(({ pid, parent, group, session, ended, terminal }) => {
    const known = before.get(pid);
    if (known === undefined || known.parent !== parent || known.group !== group || known.session !== session) return false;
    if (known.terminal !== terminal) return false;
    return known.ended === ended || (known.ended === undefined && !moving.includes(pid));
  });
}

/** A process and everything below it that lives, parents first. */
export function treeBelow(root: number, table: ContainerTable): number[] {
  const found = [root];
  for (const parent of found) {
    for (const child of table.childrenOf(parent)) if (table.find(child)?.ended === undefined) found.push(child);
  }
  return found;
}
