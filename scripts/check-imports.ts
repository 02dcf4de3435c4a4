/**
 * Checks how files import each other (`npm run check:imports`). The rules, and the order of the modules, are those of
 * ARCHITECTURE.md, which is read for the order: its first block lists `src/NAME/` from top to bottom.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkImports, modulesFromMap } from './import-rules.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(read('package.json')) as Manifest;
const paths = globSync('{src,sim,test,bench,scripts}/**/*.ts', { cwd: root });
const violations = checkImports({
  files: new Map(paths.map((path) => [path, read(path)])),
  modules: modulesFromMap(read('ARCHITECTURE.md')),
  dependencies: Object.keys(manifest.dependencies),
  devDependencies: Object.keys(manifest.devDependencies),
});

for (const { file, line, problem } of violations) console.error(`${file}:${line}: ${problem}`);
if (violations.length > 0) process.exitCode = 1;
