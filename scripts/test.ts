/*
 * `npm test`: the checks of the whole project, then every test. `npm test -- test/store -t name` hands its arguments to
 * vitest and leaves the checks out. Ends with one line `N passed, N failed[, N skipped]` that counts each check as one,
 * and with exit code 1 when anything failed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { findOracle } from '../test/oracle/oracle.ts';
import { type Counts, readCounts } from './test-counts.ts';

const ROOT = dirname(import.meta.dirname);

/** The checks: what each is called, and the JavaScript file of its tool with the arguments. */
const CHECKS: readonly (readonly [name: string, tool: string, ...args: string[]])[] = [
  ['types', 'typescript/bin/tsc', '-p', '.'],
  ['lint', 'oxlint/bin/oxlint'],
  ['format', 'oxfmt/bin/oxfmt', '--check'],
  ['unused code', 'knip/bin/knip.js', '--no-progress', '--no-config-hints'],
];

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];
const args = process.argv.slice(2);

if (args.length === 0) {
  for (const [name, tool, ...toolArgs] of CHECKS) await step(name, () => check(tool, toolArgs));
  // Built before the tests start, whose time is limited; they find it in the cache.
  await step('oracle', async () => count((await findOracle()) === undefined ? 'skipped' : 'passed'));
}
await step('tests', () => tests(args));

if (failures.length > 0) process.stdout.write(`\nfailed: ${failures.join(', ')}\n`);
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
process.stdout.write(`${total.passed} passed, ${total.failed} failed${skipped}\n`);
process.exitCode = total.failed > 0 ? 1 : 0;

/** Runs one step, says how it went and how long it took, and adds its counts to the total. */
async function step(name: string, run: () => Promise<Counts>): Promise<void> {
  const startedMs = performance.now();
  process.stdout.write(`▶ ${name} …\n`);
  const counts = await run().catch((error: unknown) => {
    process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return count('failed');
  });
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
  if (counts.failed > 0) failures.push(name);
  const word = counts.failed > 0 ? 'failed' : counts.passed > 0 ? 'passed' : 'skipped';
  process.stdout.write(`${word === 'failed' ? '✗' : '✓'} ${name} ${word}, ${seconds(startedMs)} s\n`);
}

async function check(tool: string, toolArgs: readonly string[]): Promise<Counts> {
  return count((await runTool(tool, toolArgs)) === 0 ? 'passed' : 'failed');
}

/** Runs vitest with its ordinary report on the screen and a second one in JSON, for the counts. */
async function tests(vitestArgs: readonly string[]): Promise<Counts> {
  const dir = mkdtempSync(join(tmpdir(), 'comity-test-'));
  const report = join(dir, 'report.json');
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const code = await runTool('vitest/vitest.mjs', ['run', ...reporters, ...vitestArgs]);
    return readCounts(report, code);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Runs a tool of node_modules on this Node, whatever `node` is on the PATH, and gives its exit code. */
async function runTool(tool: string, toolArgs: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [join(ROOT, 'node_modules', tool), ...toolArgs], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  process.once('SIGTERM', forward);
  const [code] = (await once(child, 'exit')) as [number | null];
  process.off('SIGTERM', forward);
  return code ?? 1;
}

function count(as: keyof Counts): Counts {
  return { passed: 0, failed: 0, skipped: 0, [as]: 1 };
}

function seconds(sinceMs: number): string {
  return ((performance.now() - sinceMs) / 1000).toFixed(1);
}
