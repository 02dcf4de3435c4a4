/**
 * What a user says to `krg shell` itself, as with ssh(1): `~` at the beginning of a line and a letter. Everything else is for the shell.
 * Pure: bytes in, bytes and orders out.
 */
export type EscapeOrder = 'disconnect' | 'help';

export interface EscapeState {
  /** Nothing was typed in this line yet. */
  readonly atLineStart: boolean;
  /** `~` was typed there and is held back. */
  readonly pending: boolean;
}

export const ESCAPE_START: EscapeState = { atLineStart: true, pending: false };

export const ESCAPE_HELP = [
  'At the beginning of a line:',
  '  ~.  end the connection; the shell is hung up',
  '  ~~  send one ~',
  '  ~?  this help',
] as const;

const TILDE = 0x7e;
const ORDERS: Readonly<Record<string, EscapeOrder>> = { '.': 'disconnect', '?': 'help' };
const LINE_ENDS: readonly number[] = [0x0d, 0x0a];

export function escapeKeys(
  state: EscapeState,
  typed: Uint8Array,
): { readonly state: EscapeState; readonly passed: Uint8Array; readonly orders: readonly EscapeOrder[] } {
  const passed: number[] = [];
  const orders: EscapeOrder[] = [];
  let { atLineStart, pending } = state;
  for (const byte of typed) {
    if (pending) {
      pending = false;
      const order = ORDERS[String.fromCharCode(byte)];
      if (order !== undefined) {
        orders.push(order);
        atLineStart = true;
        continue;
      }
      passed.push(TILDE);
      atLineStart = LINE_ENDS.includes(byte);
      if (byte !== TILDE) passed.push(byte);
    } else if (byte === TILDE && atLineStart) pending = true;
    else {
      passed.push(byte);
      atLineStart = LINE_ENDS.includes(byte);
    }
  }
  return { state: { atLineStart, pending }, passed: Uint8Array.from(passed), orders };
}
