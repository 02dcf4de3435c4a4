/** The process that is chosen, and what is seen of the list. Pure. */
import { layoutOf } from './layout.ts';
import type { Picture } from './model.ts';
import { rowsOf, type Row } from './rows.ts';
import type { Step, TopState } from './state.ts';

/** The row that is chosen; undefined when none is, or when it is not listed. */
export function selectedRow(state: TopState, rows: readonly Row[] = rowsOf(state)): number | undefined {
  if (state.selected === undefined) return undefined;
  const at = rows.findIndex(({ process }) => process.pid === state.selected);
  return at < 0 ? undefined : at;
}

/** Chooses the row at this place, or the nearest. */
export function moveTo(state: TopState, place: number): TopState {
  const rows = rowsOf(state);
  const position = Math.max(0, Math.min(rows.length - 1, place));
  return { ...state, position, selected: rows[position]?.process.pid };
}

/** Lines of processes on a page. */
export function pageLines(state: TopState): number {
  return Math.max(1, layoutOf(state).processes);
}

/**
 * Puts right what a change has left: the place of the process that is chosen, the part of the list that is seen, and the marks. A process that has
 * gone leaves nobody chosen in its place.
 */
export function settle(state: TopState): TopState {
  const rows = rowsOf(state);
  const alive = state.picture === undefined ? undefined : new Set(state.picture.processes.map(({ pid }) => pid));
  const marked = alive === undefined ? state.marked : new Set([...state.marked].filter((pid) => alive.has(pid)));
  const at = selectedRow(state, rows);
  const selected = at === undefined ? undefined : state.selected;
  const last = Math.max(0, rows.length - 1);
  const position = Math.min(at ?? state.position, last);
  const lines = pageLines(state);
  let scroll = Math.min(state.scroll, Math.max(0, rows.length - lines));
  if (selected !== undefined) scroll = Math.max(Math.min(scroll, position), position - lines + 1);
  return { ...state, marked, selected, position, scroll };
}

export function withPicture(state: TopState, picture: Picture): TopState {
  return settle({ ...state, picture, silentSince: undefined });
}

/** Those that are marked, else the one that is chosen. */
export function chosenPids({ marked, selected }: TopState): readonly number[] {
  if (marked.size > 0) return [...marked];
  return selected === undefined ? [] : [selected];
}

/** Does something with the processes that are chosen. */
export function acted(state: TopState, act: (pids: readonly number[]) => Step): Step {
  const pids = chosenPids(state);
  if (pids.length > 0) return act(pids);
  return { state: { ...state, message: { kind: 'info', text: 'choose a process first: arrows, or / to search' } }, effects: [] };
}

/** Such as `65601 sleep 1000`, `3 processes`. */
export function subjectOf({ picture }: TopState, pids: readonly number[]): string {
  if (pids.length !== 1) return `${pids.length} processes`;
  return `${pids[0]} ${picture?.processes.find(({ pid }) => pid === pids[0])?.command ?? ''}`.trim();
}

/** Chooses the next process, from this place on, that the search finds. */
export function search(state: TopState, from: number): TopState {
  const wanted = state.search.toLowerCase();
  if (wanted === '') return { ...state, message: { kind: 'info', text: 'search for something first: /' } };
  const rows = rowsOf(state);
  for (let step = 0; step < rows.length; step++) {
    const at = (from + step) % rows.length;
    const process = rows[at]?.process;
    if (process !== undefined && (process.command.toLowerCase().includes(wanted) || String(process.pid).startsWith(wanted)))
      return moveTo(state, at);
  }
  return { ...state, message: { kind: 'error', text: `no process has "${state.search}"` } };
}
