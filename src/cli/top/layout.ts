/** How many lines each part of the screen has. Pure. */
import type { TopState } from './state.ts';

export interface Layout {
  /** Lines for nodes, with their title; the last one may stand for those that have no room. */
  readonly nodes: number;
  /** Processes, without their title. */
  readonly processes: number;
  readonly processTitle: boolean;
  /** Lines for events, without their rule. */
  readonly events: number;
  /** The first line, which says what this is. */
  readonly head: boolean;
  /** The last line, for keys and messages. */
  readonly foot: boolean;
}

const FEW_EVENTS = 4;
/** So many lines of processes come before anything that can be left out. */
const LEAST_PROCESSES = 5;

export function layoutOf({ size: { rows }, picture, eventLines }: Pick<TopState, 'size' | 'picture' | 'eventLines'>): Layout {
  const foot = rows >= 2;
  const head = rows >= 8;
  const processTitle = rows >= 4;
  let left = Math.max(0, rows - Number(foot) - Number(head) - Number(processTitle));
  const known = picture?.nodes.length ?? 0;
  const mostNodes = Math.min(known + 1, Math.max(2, Math.floor(rows / 3)));
  const nodes = known > 0 && left >= LEAST_PROCESSES + Math.min(2, mostNodes) ? Math.min(mostNodes, left - LEAST_PROCESSES) : 0;
  left -= nodes;
  const wanted = eventLines === 'none' ? 0 : eventLines === 'some' ? FEW_EVENTS : Math.floor(rows / 2);
  const room = left - LEAST_PROCESSES - 1;
  const events = room >= 2 ? Math.min(wanted, room) : 0;
  return { head, foot, processTitle, nodes, events, processes: Math.max(0, left - (events > 0 ? events + 1 : 0)) };
}
