import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { findOracle } from '../oracle/oracle.ts';
import { OWN_SCRIPTS, PUBLIC_SCRIPTS_FOLDER, scriptsIn } from '../promqltest/scripts.ts';
import { runLiveFederation } from './live-federation.ts';
import { runScriptsOverHttp } from './scripts-over-http.ts';

const hasOracle = (await findOracle()) !== undefined;

describe.skipIf(!hasOracle)('three agents and a hub against one Prometheus', () => {
  test.for([1, 2])('a sample of scripts gives no wrong answer (seed %d)', { timeout: 180_000 }, async (seed) => {
    const files = [...OWN_SCRIPTS, ...(existsSync(PUBLIC_SCRIPTS_FOLDER) ? scriptsIn(PUBLIC_SCRIPTS_FOLDER) : [])];
    const { asked, nonEmpty, refused, wrong } = await runScriptsOverHttp(files, seed, 8, 12);
    expect(wrong).toEqual([]);
    // All metrics are open and all labels permitted.
    expect(refused).toEqual({});
    expect(asked).toBeGreaterThan(25);
    expect(nonEmpty).toBeGreaterThan(asked / 2);
  });

  test('what three Prometheus forward is answered as by a fourth that has it all', { timeout: 180_000 }, async () => {
    const { samples, nonEmpty, wrong } = await runLiveFederation(1, 30);
    expect(wrong).toEqual([]);
    expect(samples).toBeGreaterThan(10_000);
    expect(nonEmpty).toBeGreaterThan(15);
  });
});
