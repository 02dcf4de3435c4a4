/** Requests of ioctl_tty(2) that carry a terminal's whole state; those of everyday use stand in pty.ts. */
export const TERMINAL = {
  /** struct termios2 */
  getAttributes: 0x802c542a,
  setAttributes: 0x402c542b,
  attributesSize: 44,
  windowSize: 8,
  getPacketMode: 0x80045438,
  setPacketMode: 0x5420,
  getLock: 0x80045439,
  getExclusive: 0x80045440,
  setExclusive: 0x540c,
  clearExclusive: 0x540d,
  /** Argument: {@link FLUSH_BOTH}. */
  flush: 0x540b,
  getSession: 0x5429,
  setForegroundGroup: 0x5410,
  bytesToRead: 0x541b,
  bytesToWrite: 0x5411,
} as const;

/** TCIOFLUSH: what was typed and what was written. */
export const FLUSH_BOTH = 2;

/** First of the eight majors of pty slaves (Documentation/admin-guide/devices.txt), and number and minor of /dev/ptmx and /dev/tty. */
export const PTY_SLAVE_MAJOR = 136;
export const PTY_SLAVE_MAJORS = 8;
export const ALTERNATE_TTY_MAJOR = 5;
export const MULTIPLEXER_MINOR = 2;
export const CONTROLLING_MINOR = 0;

/** N of /dev/pts/N of a terminal as /proc/PID/stat shows it (tty_nr: major in bits 8-19, minor in 0-7 and 20-31); undefined for others. */
export function ptyOf(terminal: number): number | undefined {
  const major = (terminal >> 8) & 0xfff;
  if (major < PTY_SLAVE_MAJOR || major >= PTY_SLAVE_MAJOR + PTY_SLAVE_MAJORS) return undefined;
  return (terminal & 0xff) | ((terminal >>> 12) & 0xfff00);
}
