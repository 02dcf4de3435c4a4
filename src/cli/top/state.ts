/** What `krg top` knows and what its user has chosen. */
import type { ClusterEvent } from '../../node/api/index.ts';
import type { Picture } from './model.ts';

export const SORT_COLUMNS = ['cpu', 'memory', 'time', 'pid', 'user', 'node', 'state', 'nice', 'command'] as const;
export type SortColumn = (typeof SORT_COLUMNS)[number];

export interface MenuItem {
  readonly label: string;
  readonly value: string;
}

export type MenuPurpose = 'sort' | 'move' | 'signal' | 'user';
export type PromptPurpose = 'filter' | 'search' | 'nice' | 'delay';

/** What keys are for. */
export type Mode =
  | { readonly kind: 'list' }
  | {
      readonly kind: 'prompt';
      readonly purpose: PromptPurpose;
      readonly text: string;
      /** What was there before, which comes back when it is given up. */
      readonly before: string;
      readonly pids: readonly number[];
    }
  | {
      readonly kind: 'menu';
      readonly purpose: MenuPurpose;
      readonly title: string;
      readonly items: readonly MenuItem[];
      readonly at: number;
      readonly pids: readonly number[];
    }
  /** Something to read. */
  | { readonly kind: 'page'; readonly title: string; readonly lines: readonly string[]; readonly scroll: number };

export interface Message {
  readonly text: string;
  readonly kind: 'info' | 'error';
}

export interface TopState {
  readonly picture: Picture | undefined;
  /** The newest last. */
  readonly events: readonly ClusterEvent[];
  readonly size: { readonly columns: number; readonly rows: number };
  readonly sort: SortColumn;
  readonly descending: boolean;
  readonly isTree: boolean;
  readonly filter: string;
  readonly search: string;
  readonly user: number | undefined;
  readonly node: string | undefined;
  readonly wholeCommands: boolean;
  /** Lines for events: none, some, half of the screen. */
  readonly eventLines: 'none' | 'some' | 'half';
  readonly isPaused: boolean;
  readonly delayMilliseconds: number;
  /** The process that is chosen: keys act on it wherever it stands in the list. */
  readonly selected: number | undefined;
  /** Where it stood; the next choice begins there when it has gone. */
  readonly position: number;
  /** The first process that is shown. */
  readonly scroll: number;
  readonly marked: ReadonlySet<number>;
  readonly mode: Mode;
  readonly message: Message | undefined;
  /** What is done and has not ended yet. */
  readonly busy: number;
  /** Nobody answers, since this moment. */
  readonly silentSince: number | undefined;
  readonly style: { readonly colours: boolean; readonly unicode: boolean };
  readonly nameOf: (uid: number) => string;
}

/** What a key, or anything else, leads to outside. */
export type Effect =
  | { readonly kind: 'quit' }
  | { readonly kind: 'suspend' }
  | { readonly kind: 'redraw' }
  | { readonly kind: 'look' }
  | { readonly kind: 'signal'; readonly pids: readonly number[]; readonly signal: number; readonly name: string }
  | { readonly kind: 'move'; readonly pids: readonly number[]; readonly node: string; readonly tree: boolean }
  | { readonly kind: 'renice'; readonly pids: readonly number[]; readonly change: { readonly nice: number } | { readonly by: number } }
  | { readonly kind: 'explain'; readonly pid: number };

export interface Step {
  readonly state: TopState;
  readonly effects: readonly Effect[];
}

const EVENTS_KEPT = 500;

export type StartChoices = Partial<
  Pick<TopState, 'sort' | 'descending' | 'isTree' | 'filter' | 'user' | 'node' | 'delayMilliseconds' | 'size' | 'style' | 'nameOf'>
>;

/** @param choices what the command line says */
export function startState(choices: StartChoices = {}): TopState {
  return {
    picture: undefined,
    events: [],
    size: { columns: 80, rows: 24 },
    sort: 'cpu',
    descending: true,
    isTree: false,
    filter: '',
    search: '',
    user: undefined,
    node: undefined,
    wholeCommands: true,
    eventLines: 'some',
    isPaused: false,
    delayMilliseconds: 2000,
    selected: undefined,
    position: 0,
    scroll: 0,
    marked: new Set(),
    mode: { kind: 'list' },
    message: undefined,
    busy: 0,
    silentSince: undefined,
    style: { colours: true, unicode: true },
    nameOf: String,
    ...choices,
  };
}

/** By which the list goes down at first: what is large is looked for. */
export function sortsDown(column: SortColumn): boolean {
  return column === 'cpu' || column === 'memory' || column === 'time';
}

export function withEvent(state: TopState, event: ClusterEvent): TopState {
  return { ...state, events: [...state.events, event].slice(-EVENTS_KEPT) };
}
