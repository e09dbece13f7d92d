import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bytesUnder, cpuSeconds, memoryOf, parseCpuSeconds, parseMemory } from '../../bench/process-stats.ts';

test.each([
  ['12 (node) S 1 12 12 0 -1 4194304 900 0 3 0 250 75 9 9 20 0 11 0 5 1 2', 3.25],
  // A name may hold parentheses, spaces and digits.
  ['12 (a) 7 (b) c) R 1 12 12 0 -1 4194304 900 0 3 0 100 1 9 9 20 0 11 0 5 1 2', 1.01],
])('CPU time in %s is %d s', (stat, want) => {
  expect(parseCpuSeconds(stat)).toBe(want);
});

test('memory is read from the status', () => {
  const status = 'Name:\tnode\nVmPeak:\t  999 kB\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nRssAnon:\t 5 kB\n';
  expect(parseMemory(status)).toEqual({ residentBytes: 1024 * 1024, peakBytes: 2048 * 1024 });
  expect(() => parseMemory('Name:\tnode\nState:\tZ (zombie)\n')).toThrow(/no VmRSS/);
});

test.skipIf(process.platform !== 'linux')('this process has spent time and holds memory', () => {
  expect(cpuSeconds(process.pid)).toBeGreaterThan(0);
  const { residentBytes, peakBytes } = memoryOf(process.pid);
  expect(residentBytes).toBeGreaterThan(1024 * 1024);
  expect(peakBytes).toBeGreaterThanOrEqual(residentBytes * 0.9);
});

test('bytes of all files in all folders', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'comity-bytes-'));
  try {
    mkdirSync(join(folder, 'a', 'b'), { recursive: true });
    writeFileSync(join(folder, 'one'), 'x'.repeat(10));
    writeFileSync(join(folder, 'a', 'b', 'two'), 'x'.repeat(5));
    symlinkSync(join(folder, 'one'), join(folder, 'link'));
    expect(await bytesUnder(folder)).toBe(15);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
