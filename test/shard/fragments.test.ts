import { expect, it } from 'vitest';
import { startUsage } from '../../src/engine/usage.ts';
import { evaluate } from '../../src/engine/evaluate.ts';
import type { Value } from '../../src/engine/evaluation.ts';
import { startNotes } from '../../src/engine/notes.ts';
import type { QueryGrid } from '../../src/model/grid.ts';
import { distribute } from '../../src/plan/distribute.ts';
import type { AnswerRow } from '../../src/plan/frames/columns-codec.ts';
import { mergeFragment } from '../../src/plan/merge.ts';
import type { Expr } from '../../src/promql/ast.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { printExpr } from '../../src/promql/print.ts';
import { openQueries, type Queries } from '../../src/shard/queries.ts';
import { makeDataset } from '../differential/dataset.ts';
import { generateCase } from '../differential/generator.ts';
import { contextOver } from '../engine/context.ts';
import { memorySource } from '../memory-source.ts';
import { randomFrom } from '../random.ts';
import { answerOf, differs, gridOf, LOOKBACK_MS, wholeValue } from './compared.ts';
import { memoryShards } from './memory-shards.ts';

/*
 * Both levels of splitting at once: a hub's fragments go to domains that have spread their series over different numbers of
 * shards, and the hub's remainder makes the same answer as one source that holds everything.
 */

const SEED = Number(process.env['COMITY_SEED'] ?? 4_711);
const CASES = 250;
const POLICY = '{version: 1, domain: d, labels: {permit: []}, default_class: open}';
const OPTIONS = {
  policies: [
    { layers: [{ layer: 'local' as const, source: 'test', text: POLICY }], domain: 'd', domainLabel: 'domain' },
  ],
};

const { byDomain } = makeDataset(randomFrom(SEED));
const SOURCE = memorySource([...byDomain.values()].flat());
const DOMAINS: readonly Queries[] = [...byDomain.values()].map((series, i) =>
  openQueries(memoryShards(series, [3, 1, 2][i]!, OPTIONS)),
);

async function overDomains(expr: Expr, grid: QueryGrid, matchAtHub: boolean): Promise<Value> {
  const { fragments, remainder } = distribute(expr, grid, { domainLabel: 'domain', matchAtHub });
  const usage = startUsage(Infinity);
  const merged = [];
  for (const fragment of fragments) {
    const rows: AnswerRow[] = [];
    for (const domain of DOMAINS) {
      const spent = { series: 0, cells: 0, samples: 0, regexWork: 0 };
      const question = {
        fragment,
        lookbackMs: LOOKBACK_MS,
        features: NO_FEATURES,
        deadlineMs: Date.now() + 30_000,
        spent,
      };
      rows.push(...(await domain.fragment(question, new AbortController().signal)).rows);
    }
    merged.push(mergeFragment(fragment, rows, startNotes(), usage));
  }
  return evaluate(remainder, contextOver(SOURCE, grid, { lookbackMs: LOOKBACK_MS, merged, usage }));
}

it(`a hub's fragments, seed ${SEED}`, { timeout: 120_000 }, async () => {
  const random = randomFrom(SEED);
  let compared = 0;
  let again = 0;
  for (let i = 0; i < CASES; i++) {
    const { expr, when } = generateCase(random.fork(i));
    compared++;
    const grid = gridOf(when);
    const want = await answerOf(when, () => wholeValue(expr, grid, SOURCE));
    let got = await answerOf(when, () => overDomains(expr, grid, false));
    if (got.kind === 'error' && got.errorType === 'undecided') {
      again++;
      got = await answerOf(when, () => overDomains(expr, grid, true));
    }
    const found = await differs(expr, when, want, got, SOURCE);
    expect(found, `seed ${SEED}, case ${i}: ${printExpr(expr)} ${JSON.stringify(when)}`).toBeUndefined();
  }
  expect(compared).toBeGreaterThan(CASES / 2);
  expect(again).toBeLessThan(compared / 4);
});
