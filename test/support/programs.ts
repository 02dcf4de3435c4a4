/**
 * Builds the C test programs into build/programs, when their sources are newer than what stands there.
 *
 * Safe to call from several processes at once: each build goes to a name of its own, and the first one stays. What another test runs
 * already is never replaced by the same program: its executable would be a deleted file.
 */
import { execFile } from 'node:child_process';
import { link, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FEATURES_FOLDER } from '../features.ts';

const run = promisify(execFile);

const SOURCES = join(import.meta.dirname, '..', 'programs');
const WORKLOADS_FOLDER = join(SOURCES, 'workloads');
const OUTPUT = join(import.meta.dirname, '..', '..', 'build', 'programs');
const FLAGS = ['-std=gnu17', '-O1', '-g', '-Wall', '-Werror', '-pthread', `-I${SOURCES}`];

const modified = async (path: string): Promise<number> => (await stat(path).catch(() => undefined))?.mtimeMs ?? -1;

function unlessThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

/** Newest of the header files that programs include. */
async function newestHeader(): Promise<number> {
  const headers = (await readdir(SOURCES)).filter((file) => file.endsWith('.h'));
  return Math.max(...(await Promise.all(headers.map((file) => modified(join(SOURCES, file))))));
}

/** Folder and source of a program: a feature or a workload. */
async function sourceOf(name: string): Promise<string> {
  for (const folder of [FEATURES_FOLDER, WORKLOADS_FOLDER]) {
    const source = join(folder, `${name}.c`);
    if ((await modified(source)) >= 0) return source;
  }
  throw new Error(`there is no test program ${name}.c in ${FEATURES_FOLDER} or ${WORKLOADS_FOLDER}`);
}

async function compile(source: string, output: string, flags: readonly string[]): Promise<string> {
  const newestSource = Math.max(await modified(source), await newestHeader());
  if ((await modified(output)) >= newestSource) return output;
  await rm(output, { force: true });
  await mkdir(OUTPUT, { recursive: true });
  const temporary = `${output}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  try {
    await run('gcc', [...FLAGS, ...flags, '-o', temporary, source, '-lm']);
    await link(temporary, output).catch(unlessThere);
  } finally {
    await rm(temporary, { force: true });
  }
  return output;
}

/**
 * Builds one test program, a feature or a workload, named without `.c`.
 * @returns the absolute path of the executable. Rejects with the compiler's output when it does not build.
 */
export async function buildProgram(name: string): Promise<string> {
  return compile(await sourceOf(name), join(OUTPUT, name), []);
}

/**
 * Builds a feature program that loses its state after "ready" (its `spoil:` line): it has to fail, which proves that it can.
 * @returns the absolute path of the executable.
 */
export async function buildSpoiledFeature(name: string, spoil: string): Promise<string> {
  return compile(await sourceOf(name), join(OUTPUT, `${name}.spoiled`), ['-w', `-DSPOIL=(${spoil})`]);
}
