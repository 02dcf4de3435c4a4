/** What keys do: a state machine. Pure. */
import { KEYS_PAGE } from './help.ts';
import { moveMenu, signalMenu, sortMenu, userMenu } from './menus.ts';
import { pressInMenu, pressInPage, pressInPrompt } from './modes.ts';
import { acted, moveTo, pageLines, search, selectedRow, settle, subjectOf } from './selection.ts';
import { rowsOf } from './rows.ts';
import { SORT_COLUMNS, sortsDown, type SortColumn, type Step, type TopState } from './state.ts';

/** @param key by its name, see keys.ts */
export function press(state: TopState, key: string): Step {
  if (key === 'ctrl-c') return { state, effects: [{ kind: 'quit' }] };
  if (key === 'ctrl-z') return { state, effects: [{ kind: 'suspend' }] };
  if (key === 'ctrl-l') return { state, effects: [{ kind: 'redraw' }] };
  const { mode } = state;
  const quiet = { ...state, message: undefined };
  const step =
    mode.kind === 'prompt'
      ? pressInPrompt(quiet, mode, key)
      : mode.kind === 'menu'
        ? pressInMenu(quiet, mode, key)
        : mode.kind === 'page'
          ? { state: pressInPage(quiet, mode, key), effects: [] }
          : pressInList(quiet, key);
  return { ...step, state: settle(step.state) };
}

function pressInList(state: TopState, key: string): Step {
  const still = (changed: Partial<TopState>): Step => ({ state: { ...state, ...changed }, effects: [] });
  switch (key) {
    case 'q':
    case 'f10':
      return { state, effects: [{ kind: 'quit' }] };
    case 'h':
    case '?':
    case 'f1':
      return still({ mode: { kind: 'page', title: 'Keys', lines: KEYS_PAGE, scroll: 0 } });

    case 'up':
    case 'ctrl-p':
      return { state: moveTo(state, selectedRow(state) === undefined ? state.position : state.position - 1), effects: [] };
    case 'down':
    case 'ctrl-n':
      return { state: moveTo(state, selectedRow(state) === undefined ? state.position : state.position + 1), effects: [] };
    case 'pageup':
      return { state: moveTo(state, state.position - pageLines(state)), effects: [] };
    case 'pagedown':
      return { state: moveTo(state, state.position + pageLines(state)), effects: [] };
    case 'home':
      return { state: moveTo(state, 0), effects: [] };
    case 'end':
      return { state: moveTo(state, rowsOf(state).length - 1), effects: [] };
    case 'escape':
      return still({ selected: undefined, marked: new Set(), position: 0, scroll: 0, search: '' });
    case ' ':
      return mark(state);

    case '/':
    case 'f3':
      return still({ mode: { kind: 'prompt', purpose: 'search', text: '', before: state.search, pids: [] } });
    case 'n':
      return { state: search(state, state.position + 1), effects: [] };
    case '\\':
    case 'f4':
      return still({ mode: { kind: 'prompt', purpose: 'filter', text: state.filter, before: state.filter, pids: [] } });
    case 'u':
      return still({ mode: userMenu(state) });
    case 'd':
      return still({
        mode: { kind: 'prompt', purpose: 'delay', text: String(state.delayMilliseconds / 1000), before: '', pids: [] },
      });

    case 'P':
      return sortBy(state, 'cpu');
    case 'M':
      return sortBy(state, 'memory');
    case 'T':
      return sortBy(state, 'time');
    case 'N':
      return sortBy(state, 'pid');
    case '<':
    case ',':
      return sortBy(state, neighbour(state.sort, -1));
    case '>':
    case '.':
      return sortBy(state, neighbour(state.sort, 1));
    case 's':
    case 'f6':
      return still({ mode: sortMenu(state) });
    case 'R':
    case 'I':
      return still({ descending: !state.descending });
    case 't':
    case 'f5':
      return still({ isTree: !state.isTree });
    case 'c':
      return still({ wholeCommands: !state.wholeCommands });
    case 'e':
      return still({ eventLines: state.eventLines === 'some' ? 'half' : state.eventLines === 'half' ? 'none' : 'some' });
    case 'p':
      return { state: { ...state, isPaused: !state.isPaused }, effects: state.isPaused ? [{ kind: 'look' }] : [] };

    case 'm':
      return acted(state, (pids) => still({ mode: moveMenu(state, pids, subjectOf(state, pids)) }));
    case 'k':
    case 'f9':
      return acted(state, (pids) => still({ mode: signalMenu(pids, subjectOf(state, pids)) }));
    case 'r':
      return acted(state, (pids) => still({ mode: { kind: 'prompt', purpose: 'nice', text: '', before: '', pids } }));
    case ']':
    case 'f8':
      return acted(state, (pids) => ({ state, effects: [{ kind: 'renice', pids, change: { by: 1 } }] }));
    case '[':
    case 'f7':
      return acted(state, (pids) => ({ state, effects: [{ kind: 'renice', pids, change: { by: -1 } }] }));
    case 'x':
      return acted(state, ([pid = 0]) => ({ state, effects: [{ kind: 'explain', pid }] }));
    default:
      return /^\d$/.test(key) ? still({ node: key === '0' ? undefined : state.picture?.nodes[Number(key) - 1]?.name }) : still({});
  }
}

function mark(state: TopState): Step {
  if (state.selected === undefined) return { state: moveTo(state, state.position), effects: [] };
  const marked = new Set(state.marked);
  if (!marked.delete(state.selected)) marked.add(state.selected);
  return { state: moveTo({ ...state, marked }, state.position + 1), effects: [] };
}

function sortBy(state: TopState, sort: SortColumn): Step {
  return { state: { ...state, sort, descending: sortsDown(sort) }, effects: [] };
}

function neighbour(column: SortColumn, distance: number): SortColumn {
  const count = SORT_COLUMNS.length;
  return SORT_COLUMNS[(SORT_COLUMNS.indexOf(column) + distance + count) % count] ?? column;
}
