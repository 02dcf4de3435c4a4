/** Security modules of the kernel: which are active (lsm_list_modules(2), Linux 6.8), and what they keep with credentials. */
import type { KernelTypes } from './kernel-types.ts';
import { trySyscall } from './native.ts';

const LSM_ID_LANDLOCK = 110;
/** What other security modules keep with credentials, by LSM_ID_* (include/uapi/linux/lsm.h): the structure, or the size of a pointer. */
const CREDENTIAL_BLOBS: Readonly<Record<number, readonly string[]>> = {
  101: ['cred_security_struct', 'task_security_struct'], // SELinux, since Linux 6.18 and before
  102: ['task_smack'],
  104: [], // AppArmor: the address of a label
};
const MODULES_SIZE = 256;

/** Structures that {@link landlockOffset} asks for. */
export const CREDENTIAL_STRUCTURES: readonly string[] = ['landlock_cred_security', ...Object.values(CREDENTIAL_BLOBS).flat()];

/** Where Landlock's domain stands in what security modules keep with credentials: module after module, in the order in which they are active. */
export function landlockOffset(types: KernelTypes): number | undefined {
  const ids = new BigUint64Array(MODULES_SIZE / 8);
  const count = trySyscall('lsm_list_modules', new Uint8Array(ids.buffer), new Uint8Array(Uint32Array.of(MODULES_SIZE).buffer), 0);
  let offset = 0;
  for (const id of ids.subarray(0, Math.max(0, count))) {
    if (Number(id) === LSM_ID_LANDLOCK) return offset + types.offset('landlock_cred_security', 'domain');
    const structures = CREDENTIAL_BLOBS[Number(id)];
    if (structures === undefined) continue;
    const size = structures.length === 0 ? 8 : structures.map((name) => types.size(name)).find((known) => known !== undefined);
    if (size === undefined) throw new RangeError(`what security module ${id} keeps is not known`);
    offset += Math.ceil(size / 8) * 8;
  }
  return undefined;
}
