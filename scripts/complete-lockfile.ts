/**
 * Completes package-lock.json (`npm run lock`; with --check it only says whether that is needed).
 *
 * A package with native code names one optional package per platform. A registry mirror may carry those of Linux only; npm then
 * leaves the others out of the lock, and `npm ci` refuses that lock ("Missing: … from lock file"). They are never installed here, so an
 * entry with version and platform, taken from the name, is all that npm wants.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface LockedPackage {
  readonly dev?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface Lockfile {
  packages: Record<string, LockedPackage>;
}

const SYSTEMS = ['android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const PROCESSORS = ['arm64', 'arm', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64'];

/** Operating system and processor that a package like `@oxlint/binding-linux-arm-gnueabihf` is for. */
function platformOf(name: string): { os: string[]; cpu: string[]; libc?: string[] } {
  const words = name.split(/[/-]/);
  const os = SYSTEMS.filter((system) => words.includes(system));
  const cpu = PROCESSORS.filter((processor) => words.includes(processor));
  if (os.length !== 1 || cpu.length !== 1)
    throw new Error(`the name ${name} does not tell its platform: install it, or complete the lock by hand`);
  const musl = words.some((word) => word.startsWith('musl'));
  return musl ? { os, cpu, libc: ['musl'] } : { os, cpu };
}

const path = join(import.meta.dirname, '..', 'package-lock.json');
const lockfile = JSON.parse(readFileSync(path, 'utf8')) as Lockfile;
const added: string[] = [];

for (const parent of Object.values(lockfile.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    if (Object.hasOwn(lockfile.packages, key)) continue;
    lockfile.packages[key] = {
      version,
      ...(parent.dev === true ? { dev: true } : {}),
      optional: true,
      ...platformOf(name),
    } as LockedPackage;
    added.push(name);
  }
}

if (added.length > 0 && process.argv.includes('--check')) {
  console.error(`package-lock.json lacks ${added.length} packages of other platforms; run: npm run lock`);
  process.exitCode = 1;
} else if (added.length > 0) {
  const sorted = Object.entries(lockfile.packages).toSorted(([a], [b]) => (a < b ? -1 : 1));
  lockfile.packages = Object.fromEntries(sorted);
  writeFileSync(path, `${JSON.stringify(lockfile, null, 2)}\n`);
  console.error(`added ${added.length} packages of other platforms to package-lock.json`);
}
