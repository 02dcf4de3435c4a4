/** What has happened, the newest last. Pure. */
import { clock } from './view-edges.ts';
import type { Line, Style } from './text.ts';
import type { TopState } from './state.ts';

/** @param lines without the rule above them */
export function eventLines({ events, style }: TopState, lines: number, columns: number): Line[] {
  if (lines === 0) return [];
  const dash = style.unicode ? '─' : '-';
  const head = `${dash}${dash} events `;
  const rule: Line = [{ text: `${head}${dash.repeat(Math.max(0, columns - head.length))}`, style: 'faint' }];
  const shown = events.slice(-lines).map(({ time, node, kind, message }): Line => {
    return [
      { text: `${clock(time)} `, style: 'faint' },
      { text: `${node} `, style: 'bold' },
      { text: message, style: styleOf(kind) },
    ];
  });
  const quiet: Line[] = shown.length === 0 ? [[{ text: 'nothing yet', style: 'faint' }]] : shown;
  return [rule, ...quiet, ...Array.from({ length: lines - quiet.length }, (): Line => [])];
}

function styleOf(kind: string): Style {
  if (/died|lost|revoked|deadlock|silent/.test(kind)) return 'bad';
  if (/left|kept|ending/.test(kind)) return 'warning';
  return /joined|known/.test(kind) ? 'good' : 'plain';
}
