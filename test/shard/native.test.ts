import { afterAll, expect, it } from 'vitest';
import { rangeGrid, instantGrid } from '../../src/model/grid.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { openQueries } from '../../src/shard/queries.ts';
import { exponential, nativeSeries } from '../engine/native-series.ts';
import { memoryShards, overPort } from './memory-shards.ts';

const MINUTE_MS = 60_000;

/** Eight series, half of whose samples are native histograms of two shapes. */
const HELD = Array.from({ length: 8 }, (_, i) =>
  nativeSeries(
    { __name__: 'h', i: String(i) },
    Array.from({ length: 10 }, (_none, sample) => [
      sample * MINUTE_MS,
      (sample + i) % 2 === 0
        ? sample
        : exponential(i % 3, [
            [1, sample],
            [2, i + 1],
          ]),
    ]),
  ),
);

const WAYS = [
  openQueries(memoryShards(HELD, 1)),
  openQueries(memoryShards(HELD, 3)),
  openQueries(memoryShards(HELD, 1).map(overPort)),
  openQueries(memoryShards(HELD, 3).map(overPort)),
];

afterAll(async () => {
  for (const queries of WAYS) await queries.close();
});

it.each([
  ['h', 8],
  ['last_over_time(h[3m])', 8],
  ['h[5m]', 8],
  ['h{i="1"} or h', 8],
  ['h and h', 8],
  ['count(h)', 0],
  ['topk(2, count_over_time(h[5m]))', 0],
  ['-h', 8],
  ['sum by (i) (h)', 8],
  ['sum by (i) (rate(h[5m])) * 2', 0],
])('native histograms move between shards: %s', async (text, want) => {
  const grids = [instantGrid(9 * MINUTE_MS), rangeGrid(0, 9 * MINUTE_MS, MINUTE_MS)];
  for (const grid of text.endsWith(']') ? grids.slice(0, 1) : grids) {
    const kind = grid.steps === 1 ? 'instant' : 'range';
    const question = {
      kind,
      text,
      expr: parseExpr(text),
      grid,
      lookbackMs: 300_000,
      features: NO_FEATURES,
      limit: 0,
    } as const;
    const answers = [];
    for (const queries of WAYS) {
      const asked = queries.answer({ ...question, deadlineMs: Date.now() + 10_000 }, new AbortController().signal);
      answers.push(
        await asked.then(
          ({ envelope }) => Buffer.from(envelope).toString(),
          (error: Error) => error.message,
        ),
      );
    }
    for (const answer of answers) expect(answer).toBe(answers[0]);
    if (typeof want === 'string') expect(answers[0]).toBe(want);
    else
      expect(answers[0]!.split(/"histograms?":/).length - 1).toBe(
        kind === 'range' || text.endsWith(']') ? want : want / 2,
      );
  }
});
