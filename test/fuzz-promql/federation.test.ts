import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { runJson, type JsonRun } from '../json-program.ts';
import { findOracle } from '../oracle/oracle.ts';
import { someOf } from '../planted.ts';
import { FEDERATION_MUTANT_NAMES } from './mutants.ts';

const PROGRAM = fileURLToPath(new URL('main.ts', import.meta.url));
const SEED = String(process.env['COMITY_SEED'] ?? 1);
const CASES = 160;
const TIMEOUT_MS = 180_000;

const oracle = await findOracle();

/** Runs the command as `npm run fuzz:promql` does. The program that was found is named, so that nothing is built again. */
function fuzz(...args: string[]): Promise<JsonRun> {
  return runJson(PROGRAM, ['--json', ...args], { COMITY_ORACLE: oracle });
}

describe.skipIf(oracle === undefined)(`a federation against one Prometheus, seed ${SEED}`, () => {
  test.each<[egressClass: string, domains: string, exactMin: number]>([
    ['open', '3', 0.95],
    ['aggregate', '2', 0.8],
  ])('of class %s is exact or refuses by name', { timeout: TIMEOUT_MS }, async (egressClass, domains, exactMin) => {
    const args = ['--seed', SEED, '--cases', String(CASES), '--domains', domains, '--class', egressClass];
    const { code, summary, log } = await fuzz(...args);
    expect({ code, ...summary }, log).toMatchObject({ code: 0, cases: CASES, wrong: 0, wrongCases: [], problems: [] });
    expect(summary['exact']).toBeGreaterThan(CASES * exactMin);
  });

  /** Cases of seed 1 that are right without the mutant: a number without a target is one that nothing steers. */
  const SHOWN_BY: Readonly<Record<(typeof FEDERATION_MUTANT_NAMES)[number], readonly [number, ...string[]]>> = {
    'avg-of-averages': [13, '--target', 'function clamp_max'],
    'absent-as-or': [1, '--target', 'function absent'],
    'topk-local-k': [95, '--target', 'aggregation topk'],
    'group-in-domains': [2],
    'match-in-domains': [116],
    'notes-lost': [10],
    'names-kept-in-domains': [159, '--target', 'function ln'],
  };

  test.for(someOf(FEDERATION_MUTANT_NAMES))('catches the mutant %s', { timeout: TIMEOUT_MS }, async (name) => {
    const [number, ...more] = SHOWN_BY[name];
    const args = ['--seed', '1', '--domains', '3', '--only', String(number), ...more, '--mutant', name];
    const { code, summary, log } = await fuzz(...args);
    expect({ code, ...summary }, log).toMatchObject({ code: 1, wrong: 1, mutant: name });
  });
});
