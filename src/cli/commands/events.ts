import { nodeClient } from '../options.ts';
import type { CommonOptions } from '../options.ts';
import { printable } from '../output.ts';

/** What happens in the cluster, as it happens, until interrupted. */
export async function events(options: CommonOptions): Promise<number> {
  for await (const event of nodeClient(options).events()) {
    const time = new Date(event.time).toISOString().slice(11, 23);
    process.stdout.write(
      options.json === true ? `${JSON.stringify(event)}\n` : `${time} ${event.node} ${event.kind} ${printable(event.message)}\n`,
    );
  }
  return 0;
}
