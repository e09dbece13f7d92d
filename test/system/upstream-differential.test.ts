import { describe, expect, test } from 'vitest';
import { findOracle } from '../oracle/oracle.ts';
import { runMixed } from '../upstream/mixed-run.ts';
import { findVictoria } from '../upstream/victoria.ts';

const hasServers = (await findOracle()) !== undefined && (await findVictoria()) !== undefined;

const CASES = 120;

describe.skipIf(!hasServers)('a store, a Prometheus and a VictoriaMetrics as domains against one Prometheus', () => {
  test.for([1, 2, 3])('seed %d gives no wrong answer', { timeout: 120_000 }, async (seed) => {
    const { wrong, nonEmpty, refused, ways } = await runMixed(seed, CASES);
    expect(wrong).toEqual([]);
    expect(nonEmpty).toBeGreaterThan(0.7 * CASES);
    // By policy alone.
    for (const reason of Object.keys(refused)) expect(reason).toMatch(/^refused: /);
    for (const { pushed, read } of ways) expect(Math.min(pushed, read)).toBeGreaterThan(0.05 * CASES);
  });
});
