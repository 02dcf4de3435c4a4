/** Who asked for an object and waits has it when it comes, before it goes on to others. */
import type { Entry, KddmEvent, KddmNode } from '../src/kddm/index.ts';

/** Not those of removal: another local user may have come first and removed it. */
const GONE: ReadonlySet<string> = new Set(['INV_COPY', 'WAIT_OBJ_READ', 'WAIT_OBJ_WRITE']);

/** @returns what to look at when the node has handled the event: a description of the violation, or `undefined` */
export function watchTurn(node: KddmNode, event: KddmEvent): () => string | undefined {
  const nothing = (): undefined => undefined;
  if (event.kind !== 'message') return nothing;
  const { message } = event.envelope;
  if (message.kind !== 'OBJECT_SEND' && message.kind !== 'SEND_WRITE_ACCESS') return nothing;
  const set = node.set(message.namespace, message.set);
  const request = set?.entries.get(message.object)?.request;
  if (set === undefined || request?.serial !== message.serial) return nothing;
  const isPassedOver = (entry: Entry | undefined): boolean =>
    // The same request: the message waits.
    entry !== undefined && entry.request !== request && GONE.has(entry.state) && entry.waiters.some(({ id }) => id === request.operation);
  return () => {
    if (!isPassedOver(set.entries.get(message.object))) return undefined;
    return `operation ${request.operation} on node ${node.self} was passed over when object ${message.set}/${message.object} came`;
  };
}
