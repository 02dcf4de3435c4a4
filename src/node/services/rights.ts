import { geteuid } from 'node:process';
import { KorriganError } from '../../linux/errors.ts';
import type { Caller } from '../api/types.ts';

/** What concerns the cluster itself is for those who may run its daemons. @throws KorriganError KRG_PERMISSION */
export function checkRights({ uid }: Pick<Caller, 'uid'>, what: string): void {
  if (uid === 0 || uid === geteuid?.()) return;
  throw new KorriganError('KRG_PERMISSION', `only root and the user of the daemon may ${what}`);
}
