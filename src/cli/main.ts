/** The entry of `krg`, and of Kerrighed's `migrate` when it is called by that name. */
import { enableCompileCache } from 'node:module';

enableCompileCache();

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
