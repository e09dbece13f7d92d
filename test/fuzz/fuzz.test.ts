import { expect, test } from 'vitest';
import { runCase } from './run.ts';
import { targets } from './targets.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const CASES = 400;

test.each(targets())(`$name stands mutated inputs (seed ${SEED})`, { timeout: 60_000 }, (target) => {
  const counts = { taken: 0, refused: 0 };
  const findings = Array.from({ length: CASES }, (_, index) => runCase(target, SEED, index, counts)).filter(
    (finding) => finding !== undefined,
  );
  expect(findings).toEqual([]);
  expect(counts.taken).toBeGreaterThan(0);
  expect(counts.refused).toBeGreaterThan(0);
});
