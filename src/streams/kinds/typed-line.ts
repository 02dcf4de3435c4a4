/**
 * The line that somebody has begun to type into a terminal in canonical mode: nobody can read it before it is complete. With the
 * processes frozen it is read in raw mode and typed again, without echo, each byte quoted so that it means nothing but itself.
 */
import { attempt, call, TERMINAL, type Conversation } from '../../linux/index.ts';

/** Offsets in struct termios2 and bits (termios(3), include/uapi/asm-generic/termbits.h). */
const INPUT_FLAGS = 0;
const LOCAL_FLAGS = 12;
const CONTROL_CHARACTERS = 17;
const CONTROL_CHARACTER = { time: 5, minimum: 6, start: 8, stop: 9, literalNext: 15, count: 19 } as const;
const CANONICAL = 0o2;
const EXTENDED_INPUT = 0o100000;
const FLOW_CONTROL = 0o2000;
/** Control-V, the usual one. */
const LITERAL_NEXT = 0x16;
/** TIOCSTI: as if it had been typed. */
const TYPE_BYTE = 0x5412;
/** N_TTY_BUF_SIZE: with so many bytes there may be more behind them. */
export const LONGEST_LINE = 4095;

export const isCanonical = (attributes: Uint8Array): boolean =>
  (new DataView(attributes.buffer).getUint32(LOCAL_FLAGS, true) & CANONICAL) !== 0;

/** The incomplete line of a terminal without complete ones; leaves it as it was. @param attributes its present ones, canonical */
export function* peekTypedLine(slave: number, attributes: Uint8Array): Conversation<Uint8Array> {
  const raw = attributes.slice();
  const view = new DataView(raw.buffer);
  view.setUint32(LOCAL_FLAGS, view.getUint32(LOCAL_FLAGS, true) & ~CANONICAL, true);
  raw[CONTROL_CHARACTERS + CONTROL_CHARACTER.minimum] = 0;
  raw[CONTROL_CHARACTERS + CONTROL_CHARACTER.time] = 0;
  const line = new Uint8Array(LONGEST_LINE + 1);
  // Without a line, leaving canonical mode and coming back changes nothing (n_tty_set_termios in drivers/tty/n_tty.c).
  const [, length = 0] = yield [
    call('ioctl', slave, TERMINAL.setAttributes, raw),
    attempt('read', slave, line, line.length),
    call('ioctl', slave, TERMINAL.setAttributes, attributes),
  ];
  const typed = line.slice(0, Math.max(length, 0));
  yield* typeLine(slave, typed, attributes);
  return typed;
}

/** Types the beginning of a line. @param attributes those that the terminal has, canonical */
export function* typeLine(slave: number, typed: Uint8Array, attributes: Uint8Array): Conversation<void> {
  if (typed.length === 0) return;
  const quiet = attributes.slice();
  const view = new DataView(quiet.buffer);
  // Flow control stays: a master in packet mode is told when it changes.
  view.setUint32(INPUT_FLAGS, view.getUint32(INPUT_FLAGS, true) & FLOW_CONTROL, true);
  view.setUint32(LOCAL_FLAGS, CANONICAL | EXTENDED_INPUT, true);
  const kept: readonly number[] = [CONTROL_CHARACTER.start, CONTROL_CHARACTER.stop];
  for (let n = 0; n < CONTROL_CHARACTER.count; n++) if (!kept.includes(n)) quiet[CONTROL_CHARACTERS + n] = 0;
  quiet[CONTROL_CHARACTERS + CONTROL_CHARACTER.literalNext] = LITERAL_NEXT;
  yield [
    call('ioctl', slave, TERMINAL.setAttributes, quiet),
    ...[...typed].flatMap((byte) => [
      call('ioctl', slave, TYPE_BYTE, Uint8Array.of(LITERAL_NEXT)),
      call('ioctl', slave, TYPE_BYTE, Uint8Array.of(byte)),
    ]),
    call('ioctl', slave, TERMINAL.setAttributes, attributes),
  ];
}
