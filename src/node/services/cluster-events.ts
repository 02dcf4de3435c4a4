/** Events of all nodes as one stream, for those who watch. */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Membership } from '../../hotplug/index.ts';
import { KorriganError } from '../../linux/errors.ts';
import { defineStream, type RpcNode } from '../../rpc/index.ts';
import type { ClusterEvent } from '../api/types.ts';
import { EventQueue, type EventLog } from '../events.ts';

const clusterEvent = z.object({
  time: z.number(),
  node: z.string(),
  kind: z.string(),
  message: z.string(),
  pid: z.int().optional(),
});

/** Asks a node for what happens there, and is not seen by every node for itself. */
export const followEvents = defineStream('node.events', { request: z.object({}), toHandler: z.never(), toOpener: clusterEvent });

/** How often it is looked whether there are nodes that are not followed yet. */
const LOOK_MILLISECONDS = 1000;

export interface ClusterEventsOptions {
  readonly events: EventLog;
  readonly rpc: RpcNode;
  readonly membership: Membership;
}

/** Answers other nodes. */
export function serveEvents({ events, rpc }: Pick<ClusterEventsOptions, 'events' | 'rpc'>): void {
  rpc.handleStream(followEvents, async (_, stream) => {
    for await (const { pid, ...event } of events.follow(stream.signal, 'own'))
      await stream.write(pid === undefined ? event : { ...event, pid });
  });
}

/** What several nodes may find at once, each for itself: it is told once. */
const FOUND_BY_MANY: readonly string[] = ['process.lost', 'lock.deadlock'];
const SAME_MILLISECONDS = 10_000;

/** @returns whether an event is news: false when another node has just told the same */
export function newsFilter(): (event: ClusterEvent) => boolean {
  const told = new Map<string, number>();
  return ({ kind, message, time }) => {
    if (!FOUND_BY_MANY.includes(kind)) return true;
    for (const [key, at] of told) if (time - at > SAME_MILLISECONDS) told.delete(key);
    const key = `${kind} ${message}`;
    const isNews = !told.has(key);
    told.set(key, time);
    return isNews;
  };
}

/** Events of this node and of all others that can be reached, from now on until `abort`. */
export async function* clusterEvents(options: ClusterEventsOptions, abort: AbortSignal): AsyncGenerator<ClusterEvent> {
  const { events, rpc, membership } = options;
  const queue = new EventQueue(abort);
  const isNews = newsFilter();
  const tell = (event: ClusterEvent): void => {
    if (isNews(event)) queue.push(event);
  };
  const followed = new Set<number>();
  const ended = new AbortController();
  const signal = AbortSignal.any([abort, ended.signal]);
  const follow = async (node: number): Promise<void> => {
    followed.add(node);
    try {
      const stream = await rpc.openStream(node, followEvents, {}, { signal });
      await stream.end();
      for (let event = await stream.read(); event !== undefined; event = await stream.read()) tell(event as ClusterEvent);
    } catch (error) {
      // It has gone, or is too old to tell: it is asked again as long as it takes part.
      if (!(error instanceof KorriganError)) throw error;
      await delay(LOOK_MILLISECONDS, undefined, { ref: false });
    } finally {
      followed.delete(node);
    }
  };
  const others = (): number[] => membership.living.filter((id) => id !== rpc.id && !followed.has(id));
  const look = (): void => {
    for (const node of others()) void follow(node).catch((error: unknown) => queue.fail(error));
  };
  const stop = events.watch(tell);
  const timer = setInterval(look, LOOK_MILLISECONDS);
  try {
    look();
    yield* queue.drain();
  } finally {
    stop();
    clearInterval(timer);
    ended.abort();
  }
}
