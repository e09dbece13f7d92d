import { expect, test } from 'vitest';
import { leastOf, runSoak } from './run.ts';

const SEED = Math.floor(Math.random() * 2 ** 31);

const SHORT = { minutes: 0.33, series: 120, shards: 2 };

test(`an agent under everything at once holds what it must (seed ${SEED})`, { timeout: 120_000 }, async () => {
  const outcome = await runSoak({ ...SHORT, seed: SEED }, () => undefined);
  expect(outcome.shown).toEqual([]);
  expect(outcome.mismatches).toBe(0);
  for (const count of ['kills', 'deletions', 'compactions'] as const) {
    expect(outcome[count]).toBeGreaterThanOrEqual(leastOf(outcome.minutes));
  }
  expect(outcome.comparisons).toBeGreaterThan(outcome.samples / 2);
});

test('the soak finds skip-tombstone', { timeout: 120_000 }, async () => {
  const outcome = await runSoak({ ...SHORT, minutes: 0.2, seed: 7, fault: 'skip-tombstone' }, () => undefined);
  expect(outcome.mismatches).toBeGreaterThan(0);
  expect(outcome.shown.some((text) => text.includes('expected nothing'))).toBe(true);
});
