import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import type { EvalContext } from '../../src/engine/context.ts';
import { evaluate } from '../../src/engine/evaluate.ts';
import { startNotes } from '../../src/engine/notes.ts';
import { startUsage, type Used } from '../../src/engine/usage.ts';
import { rangeGrid } from '../../src/model/grid.ts';
import { labelsOf } from '../../src/model/labels.ts';
import type { Source } from '../../src/model/source.ts';
import { normalise } from '../../src/plan/normalise.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { labelSetsJson, matrixJson, vectorJson } from '../../src/wire/prometheus-json.ts';

const LABELS = labelsOf({ __name__: 'x' });

/** As many series as are asked for, all with the same samples. */
function many(series: number, samples: number): Source & { readonly read: number } {
  const times = Float64Array.from({ length: samples }, (_none, i) => i);
  const values = new Float64Array(samples);
  let read = 0;
  return {
    series: () => [],
    *select() {
      for (; read < series; read++) yield { labels: LABELS, times, values };
    },
    get read() {
      return read;
    },
  };
}

/** Evaluates for a request that has used some before. */
function evaluated(text: string, source: Source, steps: number, spent: Used): unknown {
  const grid = rangeGrid(0, steps - 1, 1);
  const ctx: EvalContext = {
    grid,
    lookbackMs: 300_000,
    source,
    merged: [],
    usage: startUsage(Infinity, { spent }),
    features: NO_FEATURES,
    notes: startNotes(),
    scope: 'whole',
  };
  return evaluate(normalise(parseExpr(text), grid), ctx);
}

const NOTHING: Used = { series: 0, cells: 0, samples: 0 };
const { seriesPerQuery, samplesPerQuery, cellsPerQuery } = LIMITS;

describe('a query stops as soon as it is past a limit, and says which and how far', () => {
  it.each([
    ['seriesPerQuery', { series: seriesPerQuery - 5 }, `${seriesPerQuery + 1} series`],
    ['samplesPerQuery', { samples: samplesPerQuery - 5_000 }, `${samplesPerQuery + 1_000} samples`],
    ['cellsPerQuery', { cells: cellsPerQuery - 500 }, `${cellsPerQuery + 100} values (series x steps)`],
  ] as const)('%s', (limit, spent, reached) => {
    const source = many(100, 1_000);
    expect(() => evaluated('sum(x)', source, 100, { ...NOTHING, ...spent })).toThrow(
      expect.objectContaining({
        code: 'limit',
        message: expect.stringContaining(`touches ${reached}, more than the ${LIMITS[limit]} allowed (${limit})`),
      }),
    );
    expect(source.read).toBe(5);
    expect(() => evaluated('sum(x)', many(5, 1_000), 100, { ...NOTHING, ...spent })).not.toThrow();
  });

  it('stepsPerQuery', () => {
    expect(() => rangeGrid(0, LIMITS.stepsPerQuery, 1)).toThrow(
      new RegExp(`maximum resolution of ${LIMITS.stepsPerQuery} .*asked for ${LIMITS.stepsPerQuery + 1}`),
    );
    expect(rangeGrid(0, LIMITS.stepsPerQuery - 1, 1).steps).toBe(LIMITS.stepsPerQuery);
  });
});

describe('resultBytes', () => {
  // Two bytes a character.
  const long = labelsOf({ a: 'ä'.repeat(4 * 1024 * 1024) });
  const one = new Float64Array(1);
  const present = Uint8Array.of(1);
  function* rows(count: number) {
    for (let i = 0; i < count; i++) yield { labels: long, values: one, present };
  }
  const past = new RegExp(
    `the answer comes to \\d+ bytes or more, past the ${LIMITS.resultBytes} allowed \\(resultBytes\\)`,
  );

  it.each<[string, (count: number) => string]>([
    ['a vector', (count) => vectorJson(rows(count), 0)],
    ['a matrix', (count) => matrixJson(rows(count), rangeGrid(0, 0, 1))],
    ['label sets', (count) => labelSetsJson(Array.from({ length: count }, () => long))],
  ])('of %s', (_what, text) => {
    expect(() => text(1)).not.toThrow();
    expect(() => text(LIMITS.resultBytes / (8 * 1024 * 1024))).toThrow(past);
  });
});
