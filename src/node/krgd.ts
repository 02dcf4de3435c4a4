/**
 * krgd: the daemon of one node, `krgd.ts CLUSTER ID`, in the namespaces of its node. Logs to standard output. Ends with status 0 when it is told
 * to (SIGTERM, SIGINT); its container lives on and is adopted by the next one.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { join } from 'node:path';
import pino from 'pino';
import { KorriganError } from '../linux/errors.ts';
import { nodeDirectory } from './api/index.ts';
import { readConfiguration } from './configuration.ts';
import { startNode } from './node.ts';

const [, , cluster = '', id = ''] = process.argv;
const log = pino({ base: { node: `node${id}` } }, pino.destination({ fd: 1, sync: true }));

process.on('uncaughtException', (error) => {
  log.fatal({ err: error }, 'the daemon ends because of a fault in Korrigan');
  // Workers block in the kernel, so an orderly exit could wait for them for ever. The supervisor starts the next daemon.
  process.kill(process.pid, 'SIGKILL');
});

const configuration = readConfiguration(cluster);
if (configuration === undefined) throw new KorriganError('KRG_USAGE', `there is no cluster "${cluster}" on this machine`);
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
const pidFile = join(nodeDirectory(cluster, Number(id)), 'krgd.pid');
// Never seen empty: whoever sends a signal to pid 0 sends it to himself and his group (kill(2)).
writeFileSync(`${pidFile}.new`, `${process.pid}\n`);
renameSync(`${pidFile}.new`, pidFile);

const node = await startNode({ configuration, id: Number(id), version, log });

// A daemon may be killed at any time, and Node would write its cache only at an orderly end.
flushCompileCache();

let stopping = false;
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    if (stopping) return;
    stopping = true;
    node.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.fatal({ err: error }, 'the daemon could not end in order');
        process.kill(process.pid, 'SIGKILL');
      },
    );
  });
}
