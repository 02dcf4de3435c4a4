/** One line on a terminal's stderr for what takes longer than a second; nothing where stderr is no terminal. */
const PATIENCE_MILLISECONDS = 1000;
const FRAME_MILLISECONDS = 100;
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

export interface Progress {
  /** What is going on now. */
  update(text: string): void;
  /** Writes to stdout, above what is drawn. */
  print(text: string): void;
}

/** Runs `work`; its progress is drawn while it lasts and leaves no trace. */
export async function withProgress<Result>(text: string, work: (progress: Progress) => Promise<Result>): Promise<Result> {
  const { stderr } = process;
  const { stdout } = process;
  if (!stderr.isTTY) return work({ update: () => undefined, print: (line) => stdout.write(line) });
  const startedAt = Date.now();
  let current = text;
  let frame = 0;
  let drawn = false;
  const timer = setInterval(() => {
    const elapsed = Date.now() - startedAt;
    if (elapsed < PATIENCE_MILLISECONDS) return;
    const line = `${FRAMES[frame++ % FRAMES.length]} ${current} (${Math.floor(elapsed / 1000)} s)`;
    stderr.write(`\r\u001b[K${line.slice(0, stderr.columns - 1)}`);
    drawn = true;
  }, FRAME_MILLISECONDS);
  const clear = (): void => {
    if (drawn) stderr.write('\r\u001b[K');
    drawn = false;
  };
  const print = (line: string): void => {
    clear();
    stdout.write(line);
  };
  try {
    return await work({ update: (newText) => (current = newText), print });
  } finally {
    clearInterval(timer);
    clear();
  }
}
