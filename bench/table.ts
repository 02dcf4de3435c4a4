/** Measurements as a table of text. Pure. */
import type { Measurement } from './measure.ts';

const HEADER = ['', 'seen', 'min', 'freeze', 'min', 'bar', '', 'total', 'min', 'bar', 'sent', 'rounds', 'TCP', 'total/TCP'] as const;

/** Milliseconds with as many digits as matter. */
export function formatMilliseconds(value: number): string {
  return value < 100 ? value.toFixed(2) : value.toFixed(0);
}

export function formatBytes(bytes: number): string {
  return bytes < 1 << 20 ? `${Math.round(bytes / 1024)} KiB` : `${(bytes / (1 << 20)).toFixed(bytes < 10 << 20 ? 1 : 0)} MiB`;
}

/** One row for each measurement; times in ms. The verdict compares the median that the program saw (or the freeze) with the bar. */
export function formatTable(measurements: readonly Measurement[]): string {
  const rows = measurements.map((measured): string[] => {
    const { title, seen, freeze, total, bytes, preCopyRounds, tcp, bar } = measured;
    const downtime = seen ?? freeze;
    return [
      title,
      seen === undefined ? '-' : formatMilliseconds(seen.median),
      seen === undefined ? '-' : formatMilliseconds(seen.minimum),
      formatMilliseconds(freeze.median),
      formatMilliseconds(freeze.minimum),
      bar.downtime === undefined ? '' : `<= ${bar.downtime}`,
      bar.downtime === undefined ? '' : verdict(downtime.median, bar.downtime),
      formatMilliseconds(total.median),
      formatMilliseconds(total.minimum),
      bar.total === undefined ? '' : `<= ${bar.total} ${verdict(total.median, bar.total)}`,
      formatBytes(bytes.median),
      String(preCopyRounds.median),
      formatMilliseconds(tcp.median),
      `${(total.median / tcp.median).toFixed(2)}x`,
    ];
  });
  return align([[...HEADER], ...rows]);
}

function verdict(value: number, bar: number): string {
  return value <= bar ? 'held' : `missed ${(value / bar).toFixed(1)}x`;
}

/** First column to the left, all others to the right. */
export function align(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, n) => (n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Steps of the freeze, one row for each measurement. */
export function formatPhases(measurements: readonly Measurement[]): string {
  const steps = [...new Set(measurements.flatMap(({ phases }) => Object.keys(phases)))];
  const rows = measurements.map(({ title, phases }) => [
    title,
    ...steps.map((step) => (phases[step] === undefined ? '-' : formatMilliseconds(phases[step]))),
  ]);
  return align([['', ...steps], ...rows]);
}
