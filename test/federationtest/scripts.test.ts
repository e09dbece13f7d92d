import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { FormReport } from '../../src/federationtest/run-federated.ts';
import { openFederatedScripts, type ScriptsOptions } from '../../src/federationtest/run-scripts.ts';
import { startTally, type Count } from '../../src/federationtest/tally.ts';
import { parseScript } from '../../src/promqltest/parse-script.ts';
import { someOf } from '../planted.ts';
import {
  NAMES_AT_ONCE_SCRIPTS,
  OWN_SCRIPTS,
  PUBLIC_SCRIPTS_FOLDER,
  scriptFeatures,
  scriptsIn,
} from '../promqltest/scripts.ts';

type Run = Partial<ScriptsOptions>;

const DEFAULTS = { domains: 3, shards: 0, seed: 1, egressClass: 'open', kill: 0, rules: 'either' } as const;

async function runOver(
  files: readonly string[],
  run: Run,
): Promise<{ readonly wrong: readonly string[]; readonly forms: Readonly<Record<string, Count>> }> {
  const options = { ...DEFAULTS, features: scriptFeatures(), ...run };
  const tally = startTally();
  const wrong: string[] = [];
  const scripts = await openFederatedScripts(options);
  try {
    for (const file of files) {
      const commands = parseScript(basename(file), readFileSync(file, 'utf8'), options.features);
      await scripts.run(file, commands, (report) => {
        tally.add(report);
        if (report.outcome === 'wrong') wrong.push(describeWrong(report));
      });
    }
  } finally {
    await scripts.close();
  }
  return { wrong, forms: Object.fromEntries(tally.counts()) };
}

function describeWrong({ file, line, form, mode, query, difference }: FormReport): string {
  return `${file}:${line} ${form} ${mode}: ${query}: ${JSON.stringify(difference)}`;
}

/** Raw range vectors, and what hangs on the data: all that may be refused where every metric is open. */
const REFUSED_WHERE_OPEN = ['range_vector', 'series_parameter'];

function assertAllAnswered(forms: Readonly<Record<string, Count>>): void {
  for (const count of Object.values(forms)) {
    expect(count.eligibleAnswered).toBe(count.eligible);
    expect(Object.keys(count.reasons).filter((reason) => !REFUSED_WHERE_OPEN.includes(reason))).toEqual([]);
    expect(count.refused).toBeLessThan(count.evaluations / 50);
  }
}

describe('the scripts of the project', () => {
  test.each<[string, Run]>([
    ['two domains', { domains: 2 }],
    ['three domains, of two shards each', { domains: 3, shards: 2, seed: 2, inOneMode: true }],
  ])('are answered exactly over %s', { timeout: 120_000 }, async (_, run) => {
    const { wrong, forms } = await runOver(OWN_SCRIPTS, run);
    expect(wrong).toEqual([]);
    assertAllAnswered(forms);
    expect(forms['written']!.exact).toBeGreaterThan(400);
    expect(forms['written']!.expected).toBeGreaterThan(80);
  });

  test('are answered exactly where names go at once', { timeout: 60_000 }, async () => {
    const features = scriptFeatures('promql-delayed-name-removal');
    const { wrong, forms } = await runOver(NAMES_AT_ONCE_SCRIPTS, { features });
    expect(wrong).toEqual([]);
    expect(forms['written']!.exact).toBeGreaterThan(5);
  });

  test('aggregates alone leave where the class is aggregate', { timeout: 120_000 }, async () => {
    const { wrong, forms } = await runOver(OWN_SCRIPTS, { domains: 2, egressClass: 'aggregate', inOneMode: true });
    expect(wrong).toEqual([]);
    const { written, wrapped } = forms as { written: Count; wrapped: Count };
    expect(written.refused).toBeGreaterThan(200);
    expect(wrapped.eligible).toBeGreaterThan(350);
    for (const { eligible, eligibleAnswered } of [written, wrapped]) expect(eligibleAnswered).toBe(eligible);
  });

  test.each<[string, Run]>([
    ['open', { seed: 2 }],
    ['aggregate', { seed: 3, egressClass: 'aggregate' }],
  ])('a silent domain is never taken for an empty one (%s)', { timeout: 120_000 }, async (_, run) => {
    const { wrong, forms } = await runOver(OWN_SCRIPTS, { ...run, kill: 1 });
    expect(wrong).toEqual([]);
    expect(forms['written']!.partial).toBeGreaterThan(10);
    expect(forms['pinned to a live domain']!.exact).toBeGreaterThan(100);
    expect(forms['pinned to a silent domain']!.partial).toBeGreaterThan(100);
  });
});

describe.skipIf(!existsSync(PUBLIC_SCRIPTS_FOLDER))('Prometheus’s own scripts', () => {
  const files = existsSync(PUBLIC_SCRIPTS_FOLDER) ? scriptsIn(PUBLIC_SCRIPTS_FOLDER) : [];

  test('are answered exactly over three domains', { timeout: 180_000 }, async () => {
    const { wrong, forms } = await runOver(files, { seed: 4, inOneMode: true });
    expect(wrong).toEqual([]);
    assertAllAnswered(forms);
    expect(forms['written']!.exact).toBeGreaterThan(1_000);
    expect(forms['written']!.expected).toBeGreaterThan(200);
  });

  test(
    'a third of them are answered exactly over two domains of class aggregate, wherever the table says so',
    { timeout: 240_000 },
    async () => {
      const some = someOf(files);
      const { wrong, forms } = await runOver(some, { domains: 2, seed: 5, egressClass: 'aggregate', inOneMode: true });
      expect(wrong).toEqual([]);
      const { eligible, eligibleAnswered } = forms['wrapped']!;
      expect(eligible).toBeGreaterThan(some.length * 5);
      expect(eligibleAnswered).toBeGreaterThan(0.95 * eligible);
    },
  );
});
