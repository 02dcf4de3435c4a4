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
  getSession: 0x5429,
  setForegroundGroup: 0x5410,
  bytesToRead: 0x541b,
  bytesToWrite: 0x5411,
} as const;

/** First of the eight majors of pty slaves (Documentation/admin-guide/devices.txt), and number and minor of /dev/ptmx and /dev/tty. */
export const PTY_SLAVE_MAJOR = 136;
export const PTY_SLAVE_MAJORS = 8;
export const ALTERNATE_TTY_MAJOR = 5;
export const MULTIPLEXER_MINOR = 2;
export const CONTROLLING_MINOR = 0;
