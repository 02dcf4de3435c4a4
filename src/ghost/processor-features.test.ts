import assert from 'node:assert/strict';
import { test } from 'node:test';
import { missingFeatures, parseFeatures, processorFeatures } from './processor-features.ts';

const cpuinfo = (flags: string): string =>
  `processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: ${flags}\nbugs\t\t: sysret_ss_attrs\n\nprocessor\t: 1\nflags\t\t: ${flags}\n`;

test('what a program can use is told from what is the kernel’s', () => {
  assert.deepEqual(parseFeatures(cpuinfo('fpu sse2 pti avx512f constant_tsc vaes ibrs')), ['sse2', 'avx512f', 'vaes']);
});

test('an older processor lacks what a newer one has, not the other way round', () => {
  const older = parseFeatures(cpuinfo('fpu sse2 avx2'));
  const newer = parseFeatures(cpuinfo('fpu sse2 avx2 avx512f hypervisor'));
  assert.deepEqual(missingFeatures(newer, older), ['avx512f']);
  assert.deepEqual(missingFeatures(older, newer), []);
});

test('this machine lacks nothing of its own', () => {
  assert.ok(processorFeatures().includes('sse2'));
  assert.deepEqual(missingFeatures(processorFeatures()), []);
});
