import type { ReadStream } from 'node:tty';

/** Size of the user's terminal; 80 by 24 when it does not tell. */
export function terminalSize(): { columns: number; rows: number } {
  const terminal = [process.stdout, process.stderr].find((stream) => stream.isTTY && stream.columns > 0 && stream.rows > 0);
  return { columns: terminal?.columns ?? 80, rows: terminal?.rows ?? 24 };
}

/** Raw mode until the function that is returned is called, or the process exits. */
export function enterRawMode(stdin: ReadStream): () => void {
  stdin.setRawMode(true);
  const leave = (): void => {
    stdin.setRawMode(false);
  };
  process.on('exit', leave);
  return () => {
    process.off('exit', leave);
    leave();
  };
}
