/** What commands that wait say meanwhile, on stderr. */
import { styleText } from 'node:util';
import type { DeadlockLink, SyncOwner, WaitOptions } from '../node/api/index.ts';
import { KorriganError } from '../linux/errors.ts';
import { printable } from './output.ts';
import { userId } from './users.ts';

export function describeOwner({ label, node }: SyncOwner): string {
  return printable(`${label} on ${node}`);
}

export function describeDeadlock(links: readonly DeadlockLink[]): string {
  const lines = links.map(({ thing, waiter, keeper, has }) => {
    const why = has ? 'which is held by' : 'where there stands before it';
    return `  ${describeOwner(waiter)} waits for ${printable(thing)}, ${why} ${describeOwner(keeper)}\n`;
  });
  return `a deadlock: none of these will go on until one of them is ended\n${lines.join('')}`;
}

export function warn(text: string): void {
  process.stderr.write(`${styleText('yellow', 'krg:', { stream: process.stderr })} ${text.replace(/\n?$/, '\n')}`);
}

/** @param thing what is waited for */
export function waitOptions(thing: string, timeoutMs: number | undefined, user: string | undefined): WaitOptions {
  return {
    timeoutMs,
    uid: user === undefined ? undefined : idOf(user),
    onWait: (owners) => {
      // Words for a person; a script has asked to wait.
      if (process.stderr.isTTY)
        warn(`waiting for ${printable(thing)}${owners.length > 0 ? `, held by ${owners.map(describeOwner).join(', ')}` : ''}`);
    },
    onDeadlock: (links) => warn(describeDeadlock(links)),
  };
}

function idOf(user: string): number {
  const uid = userId(user);
  if (uid === undefined) throw new KorriganError('KRG_USAGE', `there is no user "${user}" on this machine; name one, or a number`);
  return uid;
}
