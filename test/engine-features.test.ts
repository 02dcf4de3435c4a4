/**
 * The feature programs that hold no descriptors and no family of their own, each moved once by the engine alone to another pid namespace.
 * All others are moved between nodes of a cluster.
 */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { readStatus } from '../src/linux/index.ts';
import { type Feature, type FeatureGroup, FEATURE_SKIPPED, readFeatures } from './features.ts';
import { endAllNamespaces, endNamespace, moveByEngine, startInNamespace, until } from './support/engine.ts';
import { buildProgram } from './support/programs.ts';

const directory = mkdtempSync(join(tmpdir(), 'korrigan-features-'));
chmodSync(directory, 0o777);
after(() => {
  endAllNamespaces();
  rmSync(directory, { recursive: true });
});

const GROUPS: readonly FeatureGroup[] = ['memory', 'thread', 'signal', 'timer', 'cpu', 'credential', 'limit', 'attribute', 'syscall'];

/** Programs whose state is carried by what the engine alone does not have: descriptors, children, or a refusal by preflight. */
const NEEDS_MORE = new Set([
  'attribute_umask',
  'attribute_working_directory',
  'memory_executable_alias',
  'memory_locked_future',
  'memory_private_file_dirtied',
  'memory_protection_keys',
  'memory_shared_file',
  'memory_two_views',
  'memory_unlinked_mapping',
  'signal_restart',
  'syscall_epoll_wait_timeout',
  'syscall_poll',
  'syscall_read_pipe',
  'syscall_write_pipe',
  'thread_leader_exited',
  'thread_own_directory',
  'thread_own_file_table',
]);

/** Waits for a time that begin anew after a move, because the kernel tells nobody how long they have waited already. */
const BEGINS_ANEW = new Set([
  'syscall_clock_nanosleep_relative',
  'syscall_futex_timeout',
  'syscall_nanosleep',
  'syscall_poll_timeout',
  'syscall_sigtimedwait',
]);

const features = readFeatures().filter(
  ({ name, group, needs }) => GROUPS.includes(group) && !needs.includes('tree') && !needs.includes('family') && !NEEDS_MORE.has(name),
);

/** Starts a program, moves it once it is ready, lets it go on. @returns what it printed */
async function moved(feature: Feature): Promise<string> {
  const output = join(directory, `${feature.name}.out`);
  const go = join(directory, `${feature.name}.go`);
  const printed = (): string => readFileSync(output, 'utf8');
  writeFileSync(output, '');
  let pid = await startInNamespace(`${await buildProgram(feature.name)} >>${output} 2>&1`, { KRG_GO: go, KRG_SCRATCH: directory });
  await until(() => /^(ready|skip|FAIL|pass)/m.test(printed()) || ended(pid), `"ready" of ${feature.name}`);
  if (printed().startsWith('ready')) {
    pid = await moveByEngine(pid, output);
    writeFileSync(go, '');
    await until(() => /^(pass|FAIL|skip)/m.test(printed()) || ended(pid), `the verdict of ${feature.name}`);
  }
  endNamespace(pid);
  return printed();
}

function ended(pid: number): boolean {
  const state = readStatus(pid)?.get('State');
  return state === undefined || state.startsWith('Z');
}

describe('state that the engine carries by itself', () => {
  for (const feature of features) {
    const todo = BEGINS_ANEW.has(feature.name) && 'the wait begins anew';
    test(`${feature.name}: ${feature.what}`, { todo }, async (context) => {
      const printed = await moved(feature);
      if (printed.startsWith('skip')) context.skip(`${printed.trim()} (exit status ${FEATURE_SKIPPED})`);
      else assert.match(printed, /^ready\n(.*\n)*pass\n$/, printed);
    });
  }
});
