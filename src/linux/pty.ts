/** Pseudo-terminals (ioctl_tty(2), pts(4)): requests and structures. */

/** Requests of ioctl(2). */
export const TTY = {
  setControllingTerminal: 0x540e,
  getWindowSize: 0x5413,
  setWindowSize: 0x5414,
  getForegroundGroup: 0x540f,
  /** Argument: address of an i32, 0 unlocks. */
  setLock: 0x40045431,
  /** Argument: address of an i32 for the number below /dev/pts. */
  getNumber: 0x80045430,
} as const;

export interface WindowSize {
  readonly columns: number;
  readonly rows: number;
}

/** struct winsize; the sizes in pixels are 0: unknown. */
export function encodeWindowSize(size: WindowSize): Uint8Array {
  return new Uint8Array(Uint16Array.of(size.rows, size.columns, 0, 0).buffer);
}
