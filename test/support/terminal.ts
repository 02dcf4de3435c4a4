/**
 * A real terminal for tests: tmux on a server of its own. The end of the command is shown by a shell, for tmux itself does not always say
 * that a program has ended.
 */
import { execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

const PATIENCE_MILLISECONDS = 20_000;
let created = 0;

export class TestTerminal implements Disposable {
  readonly #server = `krg-test-${process.pid}-${(created += 1)}`;

  /** @param command runs in the terminal; when it ends the terminal stays as it is */
  constructor(command: readonly string[], size: { columns: number; rows: number }, environment: Readonly<Record<string, string>> = {}) {
    const settings = ['set', '-g', 'status', 'off', ';'];
    const shell = ['sh', '-c', '"$@"; echo "[ended with status $?]"; exec sleep 600', 'sh'];
    const variables = Object.entries(environment).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
    const { columns, rows } = size;
    // The server needs a session before it has options, so the first one only waits.
    this.#tmux('-f', '/dev/null', 'new-session', '-d', '-s', 'wait', 'sleep 600', ';', ...settings);
    this.#tmux('new-session', '-d', '-s', 'main', '-x', String(columns), '-y', String(rows), ...variables, ...shell, ...command);
  }

  /** Presses keys, by the names of tmux(1): `C-c`, `Enter`, or text. */
  press(...keys: string[]): void {
    this.#tmux('send-keys', '-t', 'main', ...keys);
  }

  type(text: string): void {
    this.#tmux('send-keys', '-t', 'main', '-l', text);
  }

  resize(columns: number, rows: number): void {
    this.#tmux('resize-window', '-t', 'main', '-x', String(columns), '-y', String(rows));
  }

  /** What stands on the screen, without the blank rest of each line. */
  get screen(): string {
    return this.#tmux('capture-pane', '-p', '-t', 'main').trimEnd();
  }

  /** The same with the escape sequences of its colours. */
  get screenWithStyles(): string {
    return this.#tmux('capture-pane', '-p', '-e', '-t', 'main').trimEnd();
  }

  /** Waits until the screen matches. @throws Error that shows the screen */
  async shows(expected: RegExp): Promise<RegExpExecArray> {
    const last = Date.now() + PATIENCE_MILLISECONDS;
    for (;;) {
      const match = expected.exec(this.screen);
      if (match !== null) return match;
      if (Date.now() > last) throw new Error(`the screen did not come to show ${String(expected)}:\n${this.screen}`);
      await delay(30);
    }
  }

  [Symbol.dispose](): void {
    this.#tmux('kill-server');
  }

  #tmux(...words: string[]): string {
    return execFileSync('tmux', ['-L', this.#server, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }
}
