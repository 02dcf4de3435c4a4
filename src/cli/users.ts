import { readFileSync } from 'node:fs';

/** Gives the names of users, as passwd(5) has them; a user without a name is shown by number. */
export function userNames(passwd: string = readFileSync('/etc/passwd', 'utf8')): (uid: number) => string {
  const names = new Map<number, string>();
  for (const line of passwd.split('\n')) {
    const [name = '', , uid] = line.split(':');
    if (uid !== undefined && !names.has(Number(uid))) names.set(Number(uid), name);
  }
  return (uid) => names.get(uid) ?? String(uid);
}

/** The uid of a user by name or by number; undefined when there is none of this name. */
export function userId(user: string, passwd: string = readFileSync('/etc/passwd', 'utf8')): number | undefined {
  if (/^\d{1,10}$/.test(user)) return Number(user);
  const line = passwd.split('\n').find((each) => each.startsWith(`${user}:`));
  const uid = line?.split(':')[2];
  return uid === undefined ? undefined : Number(uid);
}

/** All users that passwd(5) has. */
export function userList(passwd: string = readFileSync('/etc/passwd', 'utf8')): { name: string; uid: number }[] {
  return passwd.split('\n').flatMap((line) => {
    const [name = '', , uid] = line.split(':');
    return uid === undefined || name.startsWith('#') ? [] : [{ name, uid: Number(uid) }];
  });
}
