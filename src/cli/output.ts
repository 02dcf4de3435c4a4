/** What commands print: tables, quantities and JSON. */

export interface Column<Row> {
  readonly title: string;
  readonly align?: 'left' | 'right';
  readonly value: (row: Row) => string;
  /** Colours a cell that was already padded. */
  readonly style?: (text: string, row: Row) => string;
}

/**
 * Rows under their titles, columns as wide as their widest cell, as `ps` prints them.
 * @param width lines are cut here; none means that nothing is cut
 */
export function formatTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], width = Infinity): string {
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row))));
  const widths = columns.map((column, index) => Math.max(column.title.length, ...cells.map((line) => line[index]?.length ?? 0)));
  const lineOf = (texts: readonly string[], row?: Row): string => {
    let room = width;
    const parts = texts.map((text, index) => {
      const column = columns[index];
      const last = index === columns.length - 1;
      const wide = widths[index] ?? 0;
      const padded = column?.align === 'right' ? text.padStart(wide) : last ? text : text.padEnd(wide);
      const cut = padded.slice(0, Math.max(room, 0));
      room -= cut.length + 1;
      return row === undefined || column?.style === undefined ? cut : column.style(cut, row);
    });
    return parts.join(' ').trimEnd();
  };
  return [lineOf(columns.map((column) => column.title)), ...cells.map((line, index) => lineOf(line, rows[index]))]
    .map((line) => `${line}\n`)
    .join('');
}

/** `text` with what would move the cursor or change colours replaced, as `ps` does. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?');
}

/** Width of the terminal on stdout; unlimited when there is none. */
export function outputWidth(): number {
  return process.stdout.isTTY ? process.stdout.columns : Infinity;
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Such as `12.3 MiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/** Such as `850 us`, `1.24 ms`, `2.1 s`. */
export function formatMicroseconds(microseconds: number): string {
  if (microseconds < 1000) return `${microseconds.toFixed(0)} us`;
  if (microseconds < 1_000_000) return `${(microseconds / 1000).toFixed(2)} ms`;
  return `${(microseconds / 1_000_000).toFixed(1)} s`;
}

/** Processor time as `ps` prints it: [days-]hours:minutes:seconds. */
export function formatCpuTime(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  const days = Math.floor(seconds / 86_400);
  const parts = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
  return `${days > 0 ? `${days}-` : ''}${parts.map((part) => String(part).padStart(2, '0')).join(':')}`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The start of a process as `ps` prints it: the time if it was within a day, the day within a year, else the year. */
export function formatStart(startedAt: number, now: number): string {
  const date = new Date(startedAt);
  if (now - startedAt < 86_400_000) return `${String(date.getHours()).padStart(2, '0')}:${String(date.getMinutes()).padStart(2, '0')}`;
  if (new Date(now).getFullYear() === date.getFullYear()) return `${MONTHS[date.getMonth()]}${String(date.getDate()).padStart(2, '0')}`;
  return String(date.getFullYear());
}
