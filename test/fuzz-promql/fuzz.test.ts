import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { runJson, type JsonRun } from '../json-program.ts';
import { findOracle } from '../oracle/oracle.ts';
import { someOf } from '../planted.ts';
import { ENGINE_MUTANT_NAMES } from './mutants.ts';

const PROGRAM = fileURLToPath(new URL('main.ts', import.meta.url));
const SEED = String(process.env['COMITY_SEED'] ?? 1);
/** What is asked: the shards, the seed, how many of its first cases. Those of all mutants are among them. */
const RUNS: readonly [shards: string, seed: string, cases: number][] = [
  ['0', SEED, 600],
  ['0', '2', 360],
  ['0', '5', 200],
  ['2', SEED, 300],
];

/** For each mutant a case that is right without it: its seed, its number, and what it was steered to, if it was. */
const SHOWN_BY: Readonly<Record<(typeof ENGINE_MUTANT_NAMES)[number], readonly [string, number, string?]>> = {
  'lost-stale-marker': ['1', 3, 'function acos'],
  'left-closed': ['1', 83, 'function ts_of_first_over_time'],
  'closed-lookback': ['1', 542],
  'offset-sign': ['1', 14],
  'at-without-offset': ['1', 258],
  'unaligned-subquery': ['1', 43, 'function label_join'],
  'kept-names': ['1', 55, 'function month'],
  'names-never-dropped': ['1', 157, 'function cos'],
  'no-zero-point': ['1', 240],
  'far-edge': ['1', 58],
  'linear-quantile': ['1', 389, 'aggregation topk'],
  'silent-mending': ['1', 447, 'function histogram_quantiles'],
  'nearest-quantile': ['1', 18],
  'whole-series-sets': ['1', 376],
  'swapped-operands': ['1', 245, 'modifier group_right'],
  'labels-of-many': ['1', 121, 'modifier group_left'],
  'fill-of-the-other-side': ['1', 393, 'modifier fill_right'],
  'unseen-resets': ['1', 140],
  'no-complement': ['1', 63, 'function scalar'],
  'wrong-trim': ['1', 225, 'operator </'],
  'misplaced-note': ['1', 35, 'function histogram_stddev'],
  'anchored-inside': ['1', 192],
  'no-compensation': ['5', 115, 'function abs'],
  'two-sided-zero': ['2', 359, 'function sort_desc'],
  'lowest-bucket': ['2', 212],
  'split-zero-bucket': ['2', 174],
};

const TIMEOUT_MS = 180_000;

const oracle = await findOracle();

/** Runs the command as `npm run fuzz:promql` does. The program that was found is named, so that nothing is built again. */
function fuzz(seed: string, ...args: string[]): Promise<JsonRun> {
  return runJson(PROGRAM, ['--seed', seed, '--json', ...args], { COMITY_ORACLE: oracle });
}

describe.skipIf(oracle === undefined)(`the engine against Prometheus, seed ${SEED}`, () => {
  test.each(RUNS)(
    'gives no wrong answer with %s shards, seed %s, in %i cases',
    { timeout: TIMEOUT_MS },
    async (shards, seed, cases) => {
      const { code, summary, log } = await fuzz(seed, '--cases', String(cases), '--shards', shards);
      expect({ code, ...summary }, log).toMatchObject({
        code: 0,
        cases,
        wrong: 0,
        wrongCases: [],
        problems: [],
      });
    },
  );

  test.for(someOf(ENGINE_MUTANT_NAMES))('catches the mutant %s', { timeout: TIMEOUT_MS }, async (name) => {
    const [seed, number, target] = SHOWN_BY[name];
    const steered = target === undefined ? [] : ['--target', target];
    const { code, summary, log } = await fuzz(seed, '--only', String(number), ...steered, '--mutant', name);
    expect({ code, ...summary }, log).toMatchObject({ code: 1, wrong: 1, mutant: name });
  });
});
