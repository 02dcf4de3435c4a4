/** Checks of programs for pid 1, whose crash would end every process of the container. System calls check their addresses themselves. */
import { argumentOffset, getWord, KorriganError, PSEUDO, RECORD_SIZE, type Program, type PseudoOperation } from '../linux/index.ts';

/** Addresses from `start`, inclusive, to `end`, exclusive. */
export interface AddressRange {
  readonly start: number;
  readonly end: number;
}

/** For each operation, pairs of the argument with an address and the number of bytes there (or the argument with that number). */
const MEMORY: Partial<Record<PseudoOperation, readonly (readonly [address: number, length: number | { readonly argument: number }])[]>> = {
  store: [[0, 8]],
  copy: [
    [0, { argument: 2 }],
    [1, { argument: 2 }],
  ],
  spawn: [[2, RECORD_SIZE]],
  jump: [[0, RECORD_SIZE]],
  wake: [[0, 4]],
  incrementAndWake: [[0, 4]],
  waitWhileEqual: [[0, 4]],
  jumpIfLess: [
    [0, 8],
    [2, RECORD_SIZE],
  ],
  parseDecimal: [[0, 1]],
  add: [[0, 8]],
};

/** What makes sense only in other processes. */
const FOR_OTHERS: ReadonlySet<PseudoOperation> = new Set(['trap', 'return', 'stop', 'resume']);
const NAMES = new Map<number, PseudoOperation>(Object.entries(PSEUDO).map(([name, number]) => [number, name as PseudoOperation]));

/**
 * @param mapped memory that pid 1 has
 * @param uncheckedFrom index of the first record that runs in another process
 * @throws KorriganError KRG_INTERNAL that names the record which would crash pid 1
 */
export function checkProgram(program: Program, mapped: readonly AddressRange[], uncheckedFrom: number = program.length): void {
  const view = new DataView(program.image.buffer, program.image.byteOffset);
  for (let index = 0; index < program.length; index++) {
    if (index >= uncheckedFrom && index < program.length - 1) continue;
    const record = index * RECORD_SIZE;
    const operation = view.getInt32(record, true);
    if (operation >= 0) continue;
    const argument = (n: number): number => getWord(view, record + argumentOffset(n));
    const name = NAMES.get(operation);
    if (name === undefined || FOR_OTHERS.has(name)) throw refused(program, index, 'pid 1 must not run it');
    if (name === 'onFailure') throw refused(program, index, 'the failure program of a lane is fixed');
    for (const [address, bytes] of MEMORY[name] ?? []) {
      const start = argument(address);
      const length = typeof bytes === 'number' ? bytes : argument(bytes.argument);
      if (!mapped.some((range) => start >= range.start && start + length <= range.end)) {
        throw refused(program, index, `${length} bytes at 0x${start.toString(16)} are not mapped in pid 1`);
      }
    }
  }
}

function refused(program: Program, index: number, why: string): KorriganError {
  return new KorriganError('KRG_INTERNAL', `record ${index} (${program.describe(index)}) of a program for pid 1 is refused: ${why}`);
}
