/** Users of this machine as processes are started for them: passwd(5) and group(5). */
import { readFileSync } from 'node:fs';
import type { Credentials } from '../container/index.ts';

/** Fields of the lines of a file such as /etc/group. */
export function parseTable(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

/** As initgroups(3): the groups whose lists name the user, and `gid`. */
export function groupsOf(uid: number, gid: number, passwd: string, group: string): number[] {
  const name = parseTable(passwd).find(([, , id]) => Number(id) === uid)?.[0];
  const listed = parseTable(group).filter(([, , , members = '']) => name !== undefined && members.split(',').includes(name));
  return [...new Set([gid, ...listed.map(([, , id]) => Number(id))])];
}

/** What a process of this user is started with. */
export function credentialsOf(uid: number, gid: number): Credentials {
  return { uid, gid, groups: groupsOf(uid, gid, readFileSync('/etc/passwd', 'utf8'), readFileSync('/etc/group', 'utf8')) };
}

/** A line of passwd(5). */
export interface Account {
  readonly name: string;
  readonly home: string;
  readonly shell: string;
}

/** The account of a user; one without a line has no home and the shell of all. */
export function parseAccount(passwd: string, uid: number): Account {
  const fields = parseTable(passwd).find(([, , id]) => Number(id) === uid);
  const [name = String(uid), , , , , home = '/', shell = ''] = fields ?? [];
  return { name, home, shell: shell === '' ? '/bin/sh' : shell };
}

export function accountOf(uid: number): Account {
  return parseAccount(readFileSync('/etc/passwd', 'utf8'), uid);
}

/** Number of a user of this machine by name. */
export function uidOf(name: string): number | undefined {
  const uid = parseTable(readFileSync('/etc/passwd', 'utf8')).find(([user]) => user === name)?.[2];
  return uid === undefined ? undefined : Number(uid);
}
