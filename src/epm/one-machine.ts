/**
 * The connection of a migration carries the memory of processes as it is, with a ticket in front and no encryption: what it may not leave is the
 * machine. The links between nodes, over which everything else goes, are encrypted.
 */
import { kernelIdentity } from '../fs/index.ts';
import { KorriganError } from '../linux/index.ts';

/** @param kernel the identity of the other node's kernel @throws KorriganError KRG_MIGRATION_UNENCRYPTED when it is another one than here */
export function checkOneMachine(kernel: string): void {
  if (kernel === kernelIdentity()) return;
  throw new KorriganError(
    'KRG_MIGRATION_UNENCRYPTED',
    'the processes would go to another machine, and their memory would travel there unencrypted: they can only move between nodes of one machine yet',
  );
}
