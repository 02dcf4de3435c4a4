/** The first and the last line of the screen. Pure. */
import { plainText, widthOf, type Line, type Span } from './text.ts';
import type { Mode, PromptPurpose, TopState } from './state.ts';

export function headLine(state: TopState, now: number): Line {
  const { picture, isPaused, delayMilliseconds, node, user, nameOf, filter } = state;
  const head: Span = { text: 'krg top', style: 'bold' };
  if (picture === undefined) return [head, { text: '  asking the nodes …' }];
  const online = picture.nodes.filter(({ state: nodeState }) => nodeState === 'online').length;
  const running = picture.nodes.reduce((sum, each) => sum + each.running, 0);
  const all = picture.nodes.length;
  const spans: Span[] = [
    head,
    { text: `  ${picture.cluster}  ` },
    { text: `${online} of ${all} nodes`, style: online === all ? 'good' : 'bad' },
    { text: `  ${picture.processes.length} processes, ${running} running` },
  ];
  if (node !== undefined) spans.push({ text: `  only ${node}`, style: 'warning' });
  if (user !== undefined) spans.push({ text: `  only ${nameOf(user)}`, style: 'warning' });
  if (filter !== '') spans.push({ text: `  only "${filter}"`, style: 'warning' });
  spans.push({ text: isPaused ? '  stands still (p)' : `  every ${delayMilliseconds / 1000} s`, style: isPaused ? 'warning' : 'faint' });
  spans.push({ text: `  by ${picture.node}`, style: 'faint' });
  // A part of it could be taken for another time.
  const time: Span = { text: `  ${clock(now)}`, style: 'faint' };
  const whole = [...spans, time];
  return widthOf(plainText(whole)) <= state.size.columns ? whole : spans;
}

export function clock(time: number): string {
  return new Date(time).toTimeString().slice(0, 8);
}

const KEYS: readonly (readonly [key: string, does: string])[] = [
  ['h', 'help'],
  ['/', 'search'],
  ['\\', 'filter'],
  ['s', 'sort'],
  ['t', 'tree'],
  ['m', 'move'],
  ['k', 'signal'],
  ['r', 'nice'],
  ['u', 'user'],
  ['e', 'events'],
  ['q', 'end'],
];

const ASKED: Readonly<Record<PromptPurpose, string>> = {
  filter: 'Only with: ',
  search: 'Search: ',
  nice: 'Nice value, -20 to 19: ',
  delay: 'Look every so many seconds: ',
};

/** What is asked, told, or could be pressed. */
export function footLine(state: TopState, now: number): Line {
  const { mode, message, silentSince, busy } = state;
  if (mode.kind === 'prompt') return promptLine(mode);
  if (message !== undefined) return [{ text: ` ${message.text}`, style: message.kind === 'error' ? 'bad' : 'good' }];
  if (silentSince !== undefined)
    return [{ text: ` no node answers for ${Math.max(0, Math.round((now - silentSince) / 1000))} s; asking on`, style: 'bad' }];
  if (mode.kind === 'menu')
    return keyLine([
      ['arrows', 'choose'],
      ['Enter', 'do it'],
      ...(mode.purpose === 'move' ? [['t', 'with descendants'] as const] : []),
      ['Esc', 'do nothing'],
    ]);
  if (mode.kind === 'page')
    return keyLine([
      ['arrows', 'scroll'],
      ['any other key', 'back'],
    ]);
  const marks: Line = state.marked.size > 0 ? [{ text: ` ${state.marked.size} marked `, style: 'marked' }] : [];
  const work: Line = busy > 0 ? [{ text: ' at work … ', style: 'warning' }] : [];
  const rest = keyLine(KEYS, state.size.columns - widthOf([...marks, ...work].map(({ text }) => text).join('')));
  return [...work, ...marks, ...rest];
}

function promptLine({ purpose, text, pids }: Extract<Mode, { kind: 'prompt' }>): Line {
  const many = pids.length > 1 ? `${pids.length} processes. ` : '';
  return [{ text: ` ${many}${ASKED[purpose]}`, style: 'bold' }, { text }, { text: ' ', style: 'caret' }];
}

/** As many keys as there is room for; the last one always. */
function keyLine(keys: readonly (readonly [key: string, does: string])[], width = Infinity): Line {
  const taken = ([key, does]: readonly [string, string]): number => widthOf(key) + does.length + 3;
  const last = keys.at(-1);
  const shown: (readonly [string, string])[] = [];
  let left = width - (last === undefined ? 0 : taken(last));
  for (const each of keys.slice(0, -1)) {
    left -= taken(each);
    if (left < 0) break;
    shown.push(each);
  }
  if (last !== undefined) shown.push(last);
  return shown.flatMap(([key, does]): Span[] => [
    { text: ` ${key}`, style: 'bold' },
    { text: ` ${does} `, style: 'faint' },
  ]);
}
