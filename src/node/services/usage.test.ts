import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMemory, parseProcessorTimes } from './usage.ts';

test('processor times of all processors, in milliseconds', () => {
  const text = 'cpu  100 20 30 4000 5 6 7 8 50 0\ncpu0 50 10 15 2000 3 3 3 4 25 0\ncpu1 50 10 15 2000 2 3 4 4 25 0\nintr 1\n';
  assert.deepEqual(parseProcessorTimes(text), {
    processors: 2,
    processorTime: { user: 1200, system: 430, idle: 40_000, waiting: 50, stolen: 80 },
  });
});

test('memory in bytes; a machine without swap has none', () => {
  const text = 'MemTotal:        2048 kB\nMemFree:          512 kB\nMemAvailable:    1024 kB\nHugePages_Total:       0\n';
  assert.deepEqual(parseMemory(text), { totalBytes: 2_097_152, availableBytes: 1_048_576, swapTotalBytes: 0, swapFreeBytes: 0 });
});
