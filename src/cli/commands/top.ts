import { setTimeout as delay } from 'node:timers/promises';
import { KorriganError } from '../../linux/errors.ts';
import { findNode } from '../../node/api/index.ts';
import type { ClusterEvent, NodeDescription } from '../../node/api/index.ts';
import { parseDuration } from '../durations.ts';
import { isUnicode } from '../locale.ts';
import { describedCluster } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { outputWidth } from '../output.ts';
import { columnName, type ColumnName } from '../process-columns.ts';
import { uidOf } from '../process-filters.ts';
import { batchJson, batchText } from '../top/batch.ts';
import { Feed } from '../top/feed.ts';
import { pictureOf } from '../top/rates.ts';
import { withPicture } from '../top/selection.ts';
import { TopSession } from '../top/session.ts';
import { sortsDown, startState, type SortColumn, type TopState } from '../top/state.ts';
import { userNames } from '../users.ts';

export interface TopOptions extends CommonOptions {
  readonly delay: string;
  readonly batch?: boolean;
  readonly iterations?: string;
  readonly sort: string;
  readonly node?: string;
  readonly user?: string;
  readonly filter?: string;
  readonly tree?: boolean;
  readonly ascii?: boolean;
}

const SHORTEST_DELAY_MILLISECONDS = 200;

/** By the names of the columns of krg ps. */
const SORTS: Readonly<Partial<Record<ColumnName, SortColumn>>> = {
  '%cpu': 'cpu',
  '%mem': 'memory',
  rss: 'memory',
  time: 'time',
  pid: 'pid',
  user: 'user',
  node: 'node',
  s: 'state',
  ni: 'nice',
  args: 'command',
  comm: 'command',
};

/** Watches the cluster: on a terminal, or in lists for scripts. */
export async function top(options: TopOptions): Promise<number> {
  const nodes = askable(options);
  const state = chosenState(options);
  const iterations = parseIterations(options.iterations);
  if (options.batch === true || options.json === true) return batch(nodes, state, iterations, options.json === true);
  const { stdin, stdout } = process;
  if (!stdin.isTTY || !stdout.isTTY)
    throw new KorriganError('KRG_USAGE', 'top draws on a terminal, and there is none; for scripts: krg top --batch -n 1, or --json');
  if (process.env['TERM'] === 'dumb')
    throw new KorriganError('KRG_USAGE', 'top cannot draw on a terminal of the type "dumb"; set TERM, or use krg top --batch');
  await new TopSession({ stdin, stdout, nodes, state, iterations }).run();
  return 0;
}

/** The nodes of this machine; the one that `--at` names, alone. */
function askable(options: TopOptions): () => readonly NodeDescription[] {
  let known = describedCluster(options).nodes;
  const { at } = options;
  if (at !== undefined) {
    const only = [findNode(known, at)];
    return () => only;
  }
  return () => {
    try {
      known = describedCluster(options).nodes;
    } catch (error) {
      // The cluster may be just being ended: those that were known are asked, and do not answer.
      if (!(error instanceof KorriganError)) throw error;
    }
    return known;
  };
}

function chosenState(options: TopOptions): TopState {
  const column = SORTS[columnName(options.sort.replace(/^[+-]/, ''))];
  if (column === undefined)
    throw new KorriganError('KRG_USAGE', `top does not sort by "${options.sort}"; it does by ${Object.keys(SORTS).join(', ')}`);
  const delayMilliseconds = parseDuration(options.delay);
  if (delayMilliseconds < SHORTEST_DELAY_MILLISECONDS)
    throw new KorriganError('KRG_USAGE', `--delay takes ${SHORTEST_DELAY_MILLISECONDS}ms and more: each look costs every node some work`);
  const { env } = process;
  return startState({
    sort: column,
    descending: options.sort.startsWith('-') || (sortsDown(column) && !options.sort.startsWith('+')),
    isTree: options.tree === true,
    filter: options.filter ?? '',
    user: options.user === undefined ? undefined : uidOf(options.user),
    node: options.node === undefined ? undefined : findNode(describedCluster(options).nodes, options.node).name,
    delayMilliseconds,
    nameOf: userNames(),
    style: { colours: (env['NO_COLOR'] ?? '') === '', unicode: options.ascii !== true && isUnicode(env) },
  });
}

function parseIterations(text: string | undefined): number {
  if (text === undefined) return Infinity;
  const iterations = Number(text);
  if (!Number.isInteger(iterations) || iterations < 1)
    throw new KorriganError('KRG_USAGE', `--iterations takes a number from 1, not "${text}"`);
  return iterations;
}

/** Lists or JSON, one after the other. */
async function batch(nodes: () => readonly NodeDescription[], start: TopState, iterations: number, json: boolean): Promise<number> {
  const events: ClusterEvent[] = [];
  using feed = new Feed({ nodes, onEvent: (event) => events.push(event), onSilence: () => undefined });
  await Promise.race([printLooks(feed, start, iterations, json, events), feed.follow()]);
  return 0;
}

/** Rates are those between two looks, so it looks once before it prints anything. @param events those since the last look */
async function printLooks(feed: Feed, start: TopState, iterations: number, json: boolean, events: ClusterEvent[]): Promise<void> {
  let before = await feed.look(true);
  for (let left = iterations; left > 0; left--) {
    await delay(start.delayMilliseconds);
    const usage = await feed.look();
    const now = Date.now();
    const state = { ...withPicture(start, pictureOf(before, usage, now)), events: events.splice(0) };
    process.stdout.write(json ? batchJson(state) : batchText(state, now, outputWidth()));
    before = usage;
  }
}
