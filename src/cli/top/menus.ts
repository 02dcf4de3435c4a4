/** Lists to choose from. Pure. */
import { SIGNAL_NAMES } from '../signals.ts';
import { columnTitle } from './columns.ts';
import { SORT_COLUMNS, type MenuItem, type MenuPurpose, type Mode, type TopState } from './state.ts';

/** Those that are wanted most come first. */
const USUAL_SIGNALS = [15, 9, 2, 1, 3, 19, 18, 10, 12];

type Menu = Extract<Mode, { kind: 'menu' }>;

export function signalMenu(pids: readonly number[], subject: string): Menu {
  const others = [...SIGNAL_NAMES.keys()].filter((number) => !USUAL_SIGNALS.includes(number));
  const items = [...USUAL_SIGNALS, ...others].map((number) => ({
    label: `${String(number).padStart(2)} SIG${SIGNAL_NAMES.get(number)}`,
    value: String(number),
  }));
  return menu('signal', `Send to ${subject}`, items, pids);
}

/** Nodes that take processes, the idlest chosen. */
export function moveMenu({ picture }: TopState, pids: readonly number[], subject: string): Menu {
  const here = new Set(picture?.processes.filter(({ pid }) => pids.includes(pid)).map(({ node }) => node));
  const able = (picture?.nodes ?? []).filter(({ state }) => state === 'online');
  const nodes = here.size === 1 ? able.filter(({ name }) => !here.has(name)) : able;
  const items = nodes.map(({ name, figures, processes }) => ({
    label: `${name}  cpu ${figures === null ? '?' : figures.cpu.toFixed(0)} %  ${processes} ${processes === 1 ? 'process' : 'processes'}`,
    value: name,
  }));
  const idlest = nodes.reduce((best, { figures }, index) => {
    const other = nodes[best]?.figures;
    return (figures?.cpu ?? Infinity) < (other?.cpu ?? Infinity) ? index : best;
  }, 0);
  return menu('move', `Move ${subject} to`, items, pids, idlest);
}

export function sortMenu({ sort }: TopState): Menu {
  const items = SORT_COLUMNS.map((column) => ({ label: columnTitle(column), value: column }));
  return menu('sort', 'Sort by', items, [], SORT_COLUMNS.indexOf(sort));
}

export function userMenu({ picture, user, nameOf }: TopState): Menu {
  const uids = [...new Set(picture?.processes.map(({ uid }) => uid))].toSorted((a, b) => a - b);
  const items = [{ label: 'all users', value: '' }, ...uids.map((uid) => ({ label: nameOf(uid), value: String(uid) }))];
  return menu('user', 'Show processes of', items, [], user === undefined ? 0 : uids.indexOf(user) + 1);
}

function menu(purpose: MenuPurpose, title: string, items: readonly MenuItem[], pids: readonly number[], at = 0): Menu {
  return { kind: 'menu', purpose, title, items, pids, at: Math.max(0, at) };
}
