/** Objects of programs: bytes, empty at first, in sets that each user has for himself. */
import type { IoLinker } from '../../kddm/index.ts';

export const userLinker: IoLinker<Uint8Array> = {
  name: 'user',
  firstTouch: () => new Uint8Array(),
  exportObject: (content) => content,
  importObject: (bytes) => bytes.slice(),
};

/** Name spaces below are the system's. */
const FIRST_NAMESPACE = 2 ** 20;

export function namespaceOf(uid: number): number {
  return FIRST_NAMESPACE + uid;
}
