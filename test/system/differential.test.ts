import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { MUTANT_NAMES } from '../differential/mutants.ts';
import { someOf } from '../planted.ts';
import { runJson, type JsonRun } from '../json-program.ts';
import { findOracle } from '../oracle/oracle.ts';

const PROGRAM = fileURLToPath(new URL('../differential/main.ts', import.meta.url));
const TIMEOUT_MS = 120_000;

const oracle = await findOracle();

/** Runs the command as `npm run differential` does. The program that was found is named, so that nothing is built again. */
function differential(...args: string[]): Promise<JsonRun> {
  return runJson(PROGRAM, ['--seed', '7', '--cases', '300', '--json', ...args], { COMITY_ORACLE: oracle });
}

describe.skipIf(oracle === undefined)('the federation against one Prometheus', () => {
  test('gives no wrong answer', { timeout: TIMEOUT_MS }, async () => {
    const { code, summary, log } = await differential();
    expect({ code, ...summary }, log).toMatchObject({ code: 0, cases: 300, wrong: 0, wrongCases: [], problems: [] });
  });

  test.for(someOf(MUTANT_NAMES))('catches the mutant %s', { timeout: TIMEOUT_MS }, async (name) => {
    const { code, summary, log } = await differential('--mutant', name);
    expect({ code, ...summary }, log).toMatchObject({ code: 1, wrong: 1, mutant: name });
    expect(summary['wrongCases'], log).toMatchObject([{ query: expect.stringMatching(/./) }]);
  });
});
