import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { MUTANT_NAMES } from '../differential/mutants.ts';
import { findOracle } from '../oracle/oracle.ts';

const PROGRAM = fileURLToPath(new URL('../differential/main.ts', import.meta.url));
const TIMEOUT_MS = 120_000;

const oracle = await findOracle();

interface Run {
  readonly code: number | string | null | undefined;
  readonly summary: Readonly<Record<string, unknown>>;
  readonly log: string;
}

/** Runs the command as `npm run differential` does; `summary` is the JSON that it prints. */
function differential(...args: string[]): Promise<Run> {
  const argv = [PROGRAM, '--seed', '7', '--cases', '300', '--json', ...args];
  // The program that was found is named, so that nothing is looked for or built again.
  const env = { ...process.env, COMITY_ORACLE: oracle };
  return new Promise((resolve) => {
    execFile(process.execPath, argv, { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const summary = stdout === '' ? {} : (JSON.parse(stdout) as Run['summary']);
      resolve({ code: error === null ? 0 : error.code, summary, log: stderr });
    });
  });
}

describe.skipIf(oracle === undefined)('the federation against one Prometheus', () => {
  test('gives no wrong answer', { timeout: TIMEOUT_MS }, async () => {
    const { code, summary, log } = await differential();
    expect({ code, ...summary }, log).toMatchObject({ code: 0, cases: 300, wrong: 0, wrongCases: [], problems: [] });
  });

  test.for(MUTANT_NAMES)('catches the mutant %s', { timeout: TIMEOUT_MS }, async (name) => {
    const { code, summary, log } = await differential('--mutant', name);
    expect({ code, ...summary }, log).toMatchObject({ code: 1, wrong: 1, mutant: name });
    expect(summary['wrongCases'], log).toMatchObject([{ query: expect.stringMatching(/./) }]);
  });
});
