/** Credentials of a thread: capture from /proc and restore as the last thing a thread does before it is itself again. */
import { type Program, readStatus } from '../linux/index.ts';
import type { Credentials } from './image.ts';

const PR_CAPBSET_DROP = 24;
const PR_SET_SECUREBITS = 28;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_CAP_AMBIENT = 47;
const PR_CAP_AMBIENT_RAISE = 2;
const PR_CAP_AMBIENT_CLEAR_ALL = 4;
const SECBIT_KEEP_AND_NO_FIXUP = (1 << 2) | (1 << 4);
const CAPABILITY_VERSION_3 = 0x20080522;
const CAPABILITIES = 41;
/** CAP_SETGID, CAP_SETUID, CAP_SETPCAP and CAP_SYS_ADMIN */
const CHANGING = (1n << 6n) | (1n << 7n) | (1n << 8n) | (1n << 21n);

/** Records that restoring one thread's credentials takes at most, and bytes of data. */
export const CREDENTIAL_RECORDS = 3 * CAPABILITIES + 12;

/** What threads have in common that share their credentials in the kernel. */
export type Identity = Omit<Credentials, 'secureBits' | 'noNewPrivileges'>;

/** @param pid thread group, @param tid thread; in the caller's pid namespace. `secureBits` is asked inside the process. */
export function captureCredentials(pid: number, tid: number, secureBits: number): Credentials {
  const status = readStatus(pid, tid);
  return { ...captureIdentity(pid, tid, status), secureBits, noNewPrivileges: status?.get('NoNewPrivs') === '1' };
}

/** @param pid thread group, @param tid thread; in the caller's pid namespace */
export function captureIdentity(pid: number, tid: number, status = readStatus(pid, tid)): Identity {
  const numbers = (key: string): number[] => (status?.get(key) ?? '').split(/\s+/).filter(Boolean).map(Number);
  const mask = (key: string): bigint => BigInt(`0x${status?.get(key) ?? '0'}`);
  return {
    users: numbers('Uid'),
    groups: numbers('Gid'),
    supplementary: numbers('Groups'),
    inheritable: mask('CapInh'),
    permitted: mask('CapPrm'),
    effective: mask('CapEff'),
    bounding: mask('CapBnd'),
    ambient: mask('CapAmb'),
  };
}

function integers(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, n) => view.setUint32(4 * n, value, true));
  return bytes;
}

/** Bytes of program data that restoring takes at most. */
export function credentialBytes(credentials: Credentials): number {
  return 4 * credentials.supplementary.length + 64;
}

/** True when a thread with these credentials may take on others and make threads under chosen ids. */
export function isPrivileged({ effective }: Credentials): boolean {
  return (effective & CHANGING) === CHANGING;
}

/**
 * Appends the change from a fully privileged thread to `credentials`; or, for a thread that is not, from the `present` ones: it can only do
 * what the process did itself since it had them.
 */
export function restoreCredentials(program: Program, credentials: Credentials, present?: Credentials): void {
  const before = present === undefined || isPrivileged(present) ? undefined : present;
  const differs = (...keys: readonly (keyof Credentials)[]): boolean =>
    before === undefined || keys.some((key) => String(before[key]) !== String(credentials[key]));
  const [realUser = 0, effectiveUser = 0, savedUser = 0, fileUser = 0] = credentials.users;
  const [realGroup = 0, effectiveGroup = 0, savedGroup = 0, fileGroup = 0] = credentials.groups;
  for (let capability = 0; differs('bounding') && capability < CAPABILITIES; capability++) {
    if (((credentials.bounding >> BigInt(capability)) & 1n) === 0n) program.tryCall('prctl', PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
  const supplementary = credentials.supplementary;
  if (differs('supplementary'))
    program.call('setgroups', supplementary.length, supplementary.length === 0 ? 0 : program.data(integers(supplementary)));
  if (differs('groups')) {
    program.call('setresgid', realGroup, effectiveGroup, savedGroup);
    program.call('setfsgid', fileGroup);
  }
  if (differs('users')) {
    // Without fix-up the change of user ids leaves the capability sets alone until capset says what they are.
    if (before === undefined) program.call('prctl', PR_SET_SECUREBITS, SECBIT_KEEP_AND_NO_FIXUP, 0, 0, 0);
    program.call('setresuid', realUser, effectiveUser, savedUser);
    program.call('setfsuid', fileUser);
  }
  if (differs('secureBits')) program.call('prctl', PR_SET_SECUREBITS, credentials.secureBits, 0, 0, 0);
  const low = (set: bigint): number => Number(set & 0xffffffffn);
  const high = (set: bigint): number => Number(set >> 32n);
  const { effective, permitted, inheritable, ambient } = credentials;
  if (differs('users', 'effective', 'permitted', 'inheritable')) {
    const header = program.data(integers([CAPABILITY_VERSION_3, 0]));
    const sets = [low(effective), low(permitted), low(inheritable), high(effective), high(permitted), high(inheritable)];
    program.call('capset', header, program.data(integers(sets)));
  }
  if (differs('users', 'ambient')) {
    if (before !== undefined) program.call('prctl', PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (let capability = 0; capability < CAPABILITIES; capability++) {
      if (((ambient >> BigInt(capability)) & 1n) === 1n) program.call('prctl', PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
    }
  }
  if (credentials.noNewPrivileges) program.call('prctl', PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
