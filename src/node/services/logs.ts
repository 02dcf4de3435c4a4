/** The log of a node's daemon, from its file. */
import { createReadStream, watch } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { defineStream } from '../../rpc/index.ts';

/** Asks a node for its log. */
export const readLog = defineStream('node.logs', {
  request: z.object({ lines: z.int().min(0), follow: z.boolean() }),
  toHandler: z.never(),
  toOpener: z.string(),
});

/** The last lines of a file, then what is added, if asked for, until `abort`. */
export async function* linesOf(path: string, options: { lines: number; follow: boolean }, abort: AbortSignal): AsyncGenerator<string> {
  const last: string[] = [];
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    last.push(line);
    if (last.length > options.lines) last.shift();
  }
  yield* last;
  if (options.follow) yield* addedTo(path, abort);
}

async function* addedTo(path: string, abort: AbortSignal): AsyncGenerator<string> {
  const file = await open(path);
  let changed = Promise.withResolvers<void>();
  const watcher = watch(path, () => changed.resolve());
  const onAbort = (): void => changed.resolve();
  abort.addEventListener('abort', onAbort);
  try {
    let position = (await file.stat()).size;
    let rest = '';
    while (!abort.aborted) {
      const { bytesRead, buffer } = await file.read({ position, buffer: Buffer.alloc(65_536) });
      if (bytesRead === 0) {
        await changed.promise;
        changed = Promise.withResolvers<void>();
        continue;
      }
      position += bytesRead;
      const lines = (rest + buffer.toString('utf8', 0, bytesRead)).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } finally {
    abort.removeEventListener('abort', onAbort);
    watcher.close();
    await file.close();
  }
}
