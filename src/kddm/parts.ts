/** Reports and decisions about many objects travel in parts, so that each message stays far below what a frame of rpc holds. */
import type { Decision, Report } from './messages.ts';

/** About 100 bytes each. */
const MOST_ITEMS = 2000;
const MOST_CONTENT_BYTES = 256 * 1024;

type Item = Report | Decision;

/** What is told of the objects of one set. */
export interface Group<Head, Each extends Item> {
  readonly head: Head;
  readonly items: readonly Each[];
}

/** @returns the groups in parts, at least one; the items of a group may be in several */
export function split<Head, Each extends Item>(groups: readonly Group<Head, Each>[]): Group<Head, Each>[][] {
  const parts: Group<Head, Each>[][] = [];
  let part: Group<Head, Each>[] = [];
  let items = 0;
  let bytes = 0;
  const end = (): void => {
    parts.push(part);
    part = [];
    items = 0;
    bytes = 0;
  };
  for (const { head, items: all } of groups) {
    let start = 0;
    for (let index = 0; index < all.length; index++) {
      const item = all[index];
      const size = item === undefined ? 0 : contentBytes(item);
      if (items > 0 && (items >= MOST_ITEMS || bytes + size > MOST_CONTENT_BYTES)) {
        if (index > start) part.push({ head, items: all.slice(start, index) });
        start = index;
        end();
      }
      items++;
      bytes += size;
    }
    part.push({ head, items: all.slice(start) });
  }
  end();
  return parts;
}

function contentBytes(item: Item): number {
  const backup = 'backup' in item ? (item.backup?.bytes?.byteLength ?? 0) : 0;
  return (item.content?.byteLength ?? 0) + backup;
}
