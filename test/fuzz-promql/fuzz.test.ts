import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { findOracle } from '../oracle/oracle.ts';
import { ENGINE_MUTANT_NAMES } from './mutants.ts';

const PROGRAM = fileURLToPath(new URL('main.ts', import.meta.url));
const SEED = String(process.env['COMITY_SEED'] ?? 1);
/** Mutants that show in few cases, by the seed whose first cases have one; all others die under `SEED`. */
const SEEDS: ReadonlyMap<string, string> = new Map([
  ['no-compensation', '5'],
  ['two-sided-zero', '2'],
  ['lowest-bucket', '2'],
  ['split-zero-bucket', '2'],
]);
/** As many with mutants as without: what finds a mutant is then a case that is right without it. */
const CASES = 600;
const TIMEOUT_MS = 180_000;

const oracle = await findOracle();

interface Run {
  readonly code: number | string | null | undefined;
  readonly summary: Readonly<Record<string, unknown>>;
  readonly log: string;
}

/** Runs the command as `npm run fuzz:promql` does; `summary` is the JSON that it prints. */
function fuzz(seed: string, ...args: string[]): Promise<Run> {
  const argv = [PROGRAM, '--seed', seed, '--json', ...args];
  // The program that was found is named, so that nothing is looked for or built again.
  const env = { ...process.env, COMITY_ORACLE: oracle };
  return new Promise((resolve) => {
    execFile(process.execPath, argv, { env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const summary = stdout === '' ? {} : (JSON.parse(stdout) as Run['summary']);
      resolve({ code: error === null ? 0 : error.code, summary, log: stderr });
    });
  });
}

describe.skipIf(oracle === undefined)(`the engine against Prometheus, seed ${SEED}`, () => {
  test.each<[shards: string, seed: string]>([
    ['0', SEED],
    ['2', SEED],
    ...[...new Set(SEEDS.values())].map((seed): [string, string] => ['0', seed]),
  ])('gives no wrong answer with %s shards, seed %s', { timeout: TIMEOUT_MS }, async (shards, seed) => {
    const { code, summary, log } = await fuzz(seed, '--cases', String(CASES), '--shards', shards);
    expect({ code, ...summary }, log).toMatchObject({
      code: 0,
      cases: CASES,
      wrong: 0,
      wrongCases: [],
      problems: [],
    });
  });

  test.for(ENGINE_MUTANT_NAMES)('catches the mutant %s', { timeout: TIMEOUT_MS }, async (name) => {
    const { code, summary, log } = await fuzz(SEEDS.get(name) ?? SEED, '--cases', String(CASES), '--mutant', name);
    expect({ code, ...summary }, log).toMatchObject({ code: 1, wrong: 1, mutant: name });
  });
});
