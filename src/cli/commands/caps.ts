import { KorriganError } from '../../linux/errors.ts';
import { type CapabilityReport, formatMask, namesOf, SET_NAMES, type SetChange, type SetName } from '../../node/api/index.ts';
import { readCapabilities, readDisableable, readExactly } from '../capability-words.ts';
import { nodeClient } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { printable, printJson } from '../output.ts';
import { parsePid } from '../pids.ts';

export interface CapsOptions extends CommonOptions, Readonly<Partial<Record<SetName, string>>> {
  readonly set?: string;
  readonly disable?: string;
  readonly enable?: string;
}

const TITLES: Readonly<Record<SetName, string>> = {
  permitted: 'permitted',
  effective: 'effective',
  inheritablePermitted: 'inheritable permitted',
  inheritableEffective: 'inheritable effective',
};
const TITLE_WIDTH = 22;

/** Shows the capabilities of a process, after it has changed them where that is asked for. */
export async function caps(word: string | undefined, options: CapsOptions): Promise<number> {
  const pid = word === undefined ? {} : { pid: parsePid(word) };
  const changes = changesOf(options);
  const disable = options.disable === undefined ? [] : readDisableable('--disable', options.disable);
  const enable = options.enable === undefined ? [] : readDisableable('--enable', options.enable);
  const isChange = changes.length + disable.length + enable.length > 0;
  if (isChange && word === undefined)
    throw new KorriganError('KRG_USAGE', 'caps: name the process that is to be changed: krg caps PID --set …');
  const client = nodeClient(options);
  const report = isChange ? await client.changeCapabilities({ ...pid, changes, disable, enable }) : await client.capabilities(pid.pid);
  if (options.json === true) printJson(jsonOf(report));
  else process.stdout.write(describe(report));
  return 0;
}

/** `--set` first: what is said of one set is more exact. */
function changesOf(options: CapsOptions): SetChange[] {
  const changes: SetChange[] = [];
  if (options.set !== undefined) {
    const list = readCapabilities('--set', options.set);
    changes.push({ set: 'effective', ...list }, { set: 'inheritableEffective', ...list });
  }
  for (const set of SET_NAMES) {
    const text = options[set];
    if (text !== undefined) changes.push({ set, ...readExactly(`--${TITLES[set].replace(' ', '-')}`, text) });
  }
  return changes;
}

function describe({ pid, node, sets, isGiven, disabled, denied }: CapabilityReport): string {
  const lines = [`process ${pid} on ${node}${isGiven ? '' : ', as every program begins in this cluster'}`];
  for (const set of SET_NAMES)
    lines.push(`  ${TITLES[set].padEnd(TITLE_WIDTH)} ${formatMask(sets[set]).padEnd(5)} ${namesOf(sets[set]).join(', ')}`);
  const held = Object.entries(disabled).filter(([, times]) => times > 0);
  for (const [name, times] of held) lines.push(`  ${name} is disabled at present${times === 1 ? '' : `, ${times} times`}`);
  for (const { capability, rule } of denied) lines.push(`  ${capability} is denied by "${printable(rule)}" in the configuration`);
  return `${lines.join('\n').replaceAll(/ +$/gm, '')}\n`;
}

function jsonOf({ pid, node, sets, isGiven, disabled, denied, counting }: CapabilityReport): unknown {
  const named = Object.fromEntries(SET_NAMES.map((set) => [set, namesOf(sets[set])]));
  return { pid, node, isGiven, ...named, disabled, denied, counting };
}
