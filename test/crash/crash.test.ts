import { expect, test } from 'vitest';
import { runCrash } from './run.ts';

const SEED = Math.floor(Math.random() * 2 ** 31);

test(
  `an agent killed under load loses nothing and counts nothing twice (seed ${SEED})`,
  { timeout: 60_000 },
  async () => {
    const outcome = await runCrash({ kills: 4, seed: SEED }, () => undefined);
    expect(outcome).toMatchObject({ kills: 4, missing: 0, doubled: 0 });
    for (const sent of ['samples', 'sums', 'observations', 'spans'] as const) expect(outcome[sent]).toBeGreaterThan(0);
  },
);

test.each([
  ['ack-first', 'missing'],
  ['forget-deliveries', 'doubled'],
] as const)('the crash test finds %s', { timeout: 60_000 }, async (fault, found) => {
  const outcome = await runCrash({ kills: 4, seed: 7, fault }, () => undefined);
  expect(outcome[found]).toBeGreaterThan(0);
});
