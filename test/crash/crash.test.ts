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

test('the crash test finds replies that come before the record', { timeout: 60_000 }, async () => {
  const outcome = await runCrash({ kills: 6, seed: 7, fault: 'ack-first' }, () => undefined);
  expect(outcome.missing).toBeGreaterThan(0);
});
