/** The entry of `krg`, and of Kerrighed's `migrate`, `krgadm` and `krgcapset` when it is called by their names. */
import { fileURLToPath } from 'node:url';

// What the launcher (`krg` at the root) set for this process is not for the programs that it runs.
const calledAs = process.env['KRG_ARGV0'];
delete process.env['KRG_ARGV0'];
const ownCompileCache = fileURLToPath(new URL('../../node_modules/.compile-cache', import.meta.url));
if (process.env['NODE_COMPILE_CACHE'] === ownCompileCache) delete process.env['NODE_COMPILE_CACHE'];

// Who reads our output has seen enough (`krg ps | head`): end as any program does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(141);
});

const words = process.argv.slice(2);
const status = await run();

async function run(): Promise<number> {
  if (calledAs === 'migrate') return await (await import('./kerrighed-migrate.ts')).kerrighedMigrate(words);
  if (calledAs === 'krgadm') return await (await import('./kerrighed-krgadm.ts')).kerrighedKrgadm(words);
  if (calledAs === 'krgcapset') return await (await import('./kerrighed-krgcapset.ts')).kerrighedKrgcapset(words);
  return await (await import('./program.ts')).runProgram(words);
}

// What is written to a pipe whose reader is slow waits in this process, and an exit would drop it.
await Promise.all([process.stdout, process.stderr].map((stream) => new Promise<void>((resolve) => stream.write('', () => resolve()))));
process.exit(status);
