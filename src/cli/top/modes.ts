/** What keys do while something is typed, chosen from a list, or read. Pure. */
import { pageLines, search } from './selection.ts';
import { SORT_COLUMNS, sortsDown, type Effect, type Mode, type SortColumn, type Step, type TopState } from './state.ts';
import { SIGNAL_NAMES } from '../signals.ts';

type Of<Kind extends Mode['kind']> = Extract<Mode, { kind: Kind }>;

const LIST: Mode = { kind: 'list' };
const TEXT_LIMIT = 200;
const SHORTEST_DELAY_SECONDS = 0.2;
const LONGEST_DELAY_SECONDS = 3600;
const LOWEST_NICE = -20;
const HIGHEST_NICE = 19;

export function pressInPrompt(state: TopState, mode: Of<'prompt'>, key: string): Step {
  if (key === 'escape') return still(applied({ ...state, mode: LIST }, mode, mode.before));
  if (key === 'enter') return accept({ ...state, mode: LIST }, mode);
  let { text } = mode;
  if (key === 'backspace') text = Array.from(text).slice(0, -1).join('');
  else if (key === 'ctrl-u') text = '';
  else if (key === 'ctrl-w') text = text.replace(/\S*\s*$/, '');
  else if (Array.from(key).length === 1 && text.length < TEXT_LIMIT) text += key;
  const typed = { ...mode, text };
  return still(applied({ ...state, mode: typed }, typed, text));
}

/** What is seen while it is typed. */
function applied(state: TopState, { purpose }: Of<'prompt'>, text: string): TopState {
  if (purpose === 'filter') return { ...state, filter: text };
  if (purpose === 'search') return text === '' ? { ...state, search: '' } : search({ ...state, search: text }, state.position);
  return state;
}

function accept(state: TopState, { purpose, text, pids }: Of<'prompt'>): Step {
  switch (purpose) {
    case 'filter':
      return still({ ...state, filter: text });
    case 'search':
      return still(state);
    case 'delay': {
      const seconds = Number(text);
      if (text.trim() === '' || !(seconds >= SHORTEST_DELAY_SECONDS && seconds <= LONGEST_DELAY_SECONDS))
        return refused(state, `"${text}" is no time: ${SHORTEST_DELAY_SECONDS} to ${LONGEST_DELAY_SECONDS} seconds`);
      return { state: { ...state, delayMilliseconds: seconds * 1000 }, effects: [{ kind: 'look' }] };
    }
    case 'nice': {
      const nice = Number(text);
      if (!/^[+-]?\d+$/.test(text) || nice < LOWEST_NICE || nice > HIGHEST_NICE)
        return refused(state, `"${text}" is no nice value: ${LOWEST_NICE} goes first, ${HIGHEST_NICE} last`);
      return { state, effects: [{ kind: 'renice', pids, change: { nice } }] };
    }
  }
}

export function pressInMenu(state: TopState, mode: Of<'menu'>, key: string): Step {
  const { items } = mode;
  const at = (place: number): Step => still({ ...state, mode: { ...mode, at: Math.max(0, Math.min(items.length - 1, place)) } });
  switch (key) {
    case 'escape':
    case 'q':
      return still({ ...state, mode: LIST });
    case 'up':
    case 'ctrl-p':
      return at(mode.at - 1);
    case 'down':
    case 'ctrl-n':
      return at(mode.at + 1);
    case 'home':
    case 'pageup':
      return at(0);
    case 'end':
    case 'pagedown':
      return at(items.length - 1);
    case 'enter':
      return choose(state, mode, false);
    case 't':
      return mode.purpose === 'move' ? choose(state, mode, true) : byLetter(state, mode, key);
    default:
      return byLetter(state, mode, key);
  }
}

/** The next item that begins with what was typed, or has this number. */
function byLetter(state: TopState, mode: Of<'menu'>, key: string): Step {
  const { items, at } = mode;
  const wanted = key.toLowerCase();
  for (let step = 1; step <= items.length; step++) {
    const place = (at + step) % items.length;
    const { label = '', value = '' } = items[place] ?? {};
    const name = label.trim().replace(/^\d+ SIG/, '');
    if (name.toLowerCase().startsWith(wanted) || value.replace(/^\D+/, '') === wanted)
      return still({ ...state, mode: { ...mode, at: place } });
  }
  return still(state);
}

function choose(state: TopState, mode: Of<'menu'>, tree: boolean): Step {
  const chosen = mode.items[mode.at]?.value;
  const listed: TopState = { ...state, mode: LIST };
  if (chosen === undefined) return refused(listed, 'there is nothing to choose from');
  const { pids } = mode;
  const done = (effect: Effect): Step => ({ state: { ...listed, marked: new Set() }, effects: [effect] });
  switch (mode.purpose) {
    case 'signal':
      return done({ kind: 'signal', pids, signal: Number(chosen), name: `SIG${SIGNAL_NAMES.get(Number(chosen))}` });
    case 'move':
      return done({ kind: 'move', pids, node: chosen, tree });
    case 'user':
      return still({ ...listed, user: chosen === '' ? undefined : Number(chosen) });
    case 'sort': {
      const sort = SORT_COLUMNS.find((column): column is SortColumn => column === chosen) ?? state.sort;
      return still({ ...listed, sort, descending: sort === state.sort ? state.descending : sortsDown(sort) });
    }
  }
}

export function pressInPage(state: TopState, mode: Of<'page'>, key: string): TopState {
  const to = (scroll: number): TopState => ({ ...state, mode: { ...mode, scroll: Math.max(0, Math.min(mode.lines.length - 1, scroll)) } });
  switch (key) {
    case 'up':
      return to(mode.scroll - 1);
    case 'down':
      return to(mode.scroll + 1);
    case 'pageup':
      return to(mode.scroll - pageLines(state));
    case 'pagedown':
    case ' ':
      return to(mode.scroll + pageLines(state));
    default:
      return { ...state, mode: LIST };
  }
}

function still(state: TopState): Step {
  return { state, effects: [] };
}

function refused(state: TopState, text: string): Step {
  return still({ ...state, message: { kind: 'error', text } });
}
