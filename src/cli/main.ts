/** The entry of `krg`, and of Kerrighed's `migrate` when it is called by that name. */
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

// A directory of our own: one below /tmp could be another user's, and krg often runs as root.
enableCompileCache(fileURLToPath(new URL('../../node_modules/.compile-cache', import.meta.url)));

// Who reads our output has seen enough (`krg ps | head`): end as any program does.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(141);
});

const words = process.argv.slice(2);
const status =
  process.env['KRG_ARGV0'] === 'migrate'
    ? await (await import('./kerrighed-migrate.ts')).kerrighedMigrate(words)
    : await (await import('./program.ts')).runProgram(words);
process.exit(status);
