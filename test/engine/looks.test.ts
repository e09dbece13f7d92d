import { expect, describe, it } from 'vitest';
import type { EvalContext } from '../../src/engine/context.ts';
import { startUsage, withLooks, type Usage } from '../../src/engine/usage.ts';
import { evaluate } from '../../src/engine/evaluate.ts';
import { instantGrid, rangeGrid } from '../../src/model/grid.ts';
import { labelsOf } from '../../src/model/labels.ts';
import type { SeriesColumns } from '../../src/model/series.ts';
import type { Source } from '../../src/model/source.ts';
import { normalise } from '../../src/plan/normalise.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { printExpr } from '../../src/promql/print.ts';
import { makeDataset } from '../differential/dataset.ts';
import { generateCase } from '../differential/generator.ts';
import { memorySource } from '../memory-source.ts';
import { randomFrom } from '../random.ts';
import { contextOver } from './context.ts';
import { exponential, nativeSeries } from './native-series.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? 31);

/** `count` series of one sample each, made as they are asked for; `touched` says how many that were. */
function countingSource(count: number): Source & { touched: number } {
  return {
    touched: 0,
    *select() {
      for (let i = 0; i < count; i++) {
        this.touched++;
        yield {
          labels: labelsOf({ __name__: 'x', i: String(i) }),
          times: Float64Array.of(0),
          values: Float64Array.of(i),
        };
      }
    },
    *series() {},
  };
}

function measured(source: Source, usage: Usage, grid = instantGrid(0)): EvalContext {
  return contextOver(source, grid, { usage });
}

describe('a query that is cancelled touches no more series', () => {
  it.each(['x', 'sum(x)', 'x * x', 'topk(3, x)', 'histogram_quantile(0.5, x)', 'x or x', 'rate(x[5m])'])(
    '%s',
    (text) => {
      const cancelled = new Int32Array(new SharedArrayBuffer(4));
      const source = countingSource(20_000);
      const usage = startUsage(Infinity, {
        cancelled,
        turn() {
          if (source.touched > 5_000) Atomics.store(cancelled, 0, 1);
        },
      });
      expect(() => evaluate(parseExpr(text), measured(source, usage))).toThrow(
        expect.objectContaining({ code: 'canceled' }),
      );
      expect(source.touched).toBeLessThan(5_100);
    },
  );

  it('not even the first when it was cancelled before', () => {
    const source = countingSource(10);
    const usage = startUsage(Infinity, { cancelled: Int32Array.of(1) });
    expect(() => evaluate(parseExpr('x'), measured(source, usage))).toThrow(/cancelled/);
    expect(source.touched).toBe(0);
  });

  it('nor past its deadline', () => {
    const source = countingSource(1_000_000);
    expect(() => evaluate(parseExpr('sum(x)'), measured(source, startUsage(Date.now() + 30)))).toThrow(
      expect.objectContaining({ code: 'timeout' }),
    );
  });
});

describe('long work on few series looks round as well', () => {
  const STEPS = 11_000;
  const grid = rangeGrid(0, (STEPS - 1) * 1_000, 1_000);
  const series = (name: string, count: number): SeriesColumns[] =>
    Array.from({ length: count }, (_, i) => ({
      labels: labelsOf({ __name__: name, i: String(i) }),
      times: Float64Array.from({ length: STEPS }, (_none, step) => step * 1_000),
      values: Float64Array.from({ length: STEPS }, (_none, step) => step + i),
    }));

  /** How many times it was looked round while `text` was evaluated, and how many series were touched. */
  function looks(text: string, held: readonly SeriesColumns[]): number {
    let turns = 0;
    const usage = startUsage(Infinity, { turn: () => turns++ });
    evaluate(normalise(parseExpr(text), grid), measured(memorySource(held), usage, grid));
    return turns;
  }

  it.each([
    // One series whose windows hold 11,000 x 600 samples together.
    ['quantile_over_time(0.5, x[10m])', 1, 300],
    ['deriv(x[10m])', 1, 300],
    // After the selections, which look 4 times: 4 rows at each step.
    ['x * x', 2, 5],
    ['x or x', 2, 5],
    ['topk(1, x)', 2, 3],
  ])('%s', (text, count, least) => {
    expect(looks(text, series('x', count))).toBeGreaterThanOrEqual(least);
  });

  it('and so does writing rows', () => {
    let turns = 0;
    const usage = startUsage(Infinity, { turn: () => turns++ });
    const rows = Array.from({ length: 10 }, () => STEPS);
    expect([...withLooks(rows, (steps) => steps, usage)]).toEqual(rows);
    expect(turns).toBe(10);
  });
});

/** A source that spoils everything it has handed out as soon as it is looked round, as an append may. */
function spoiled(source: Source): { readonly source: Source; turn(): void; readonly turns: number } {
  let out: SeriesColumns[] = [];
  let turns = 0;
  return {
    source: {
      series: source.series,
      *select(matchers, fromMs, toMs) {
        for (const { labels, times, values, histograms } of source.select(matchers, fromMs, toMs)) {
          const copy: SeriesColumns = {
            labels,
            times: times.slice(),
            values: values.slice(),
            histograms: histograms && {
              layouts: [...histograms.layouts],
              layoutOf: histograms.layoutOf.slice(),
              hints: histograms.hints.slice(),
              starts: histograms.starts.slice(),
              cells: histograms.cells.slice(),
            },
          };
          out.push(copy);
          yield copy;
        }
      },
    },
    turn() {
      turns++;
      for (const { times, values, histograms } of out) {
        times.fill(NaN);
        values.fill(NaN);
        histograms?.layoutOf.fill(77);
        histograms?.starts.fill(1e9);
        histograms?.cells.fill(NaN);
        if (histograms !== undefined) (histograms.layouts as unknown[]).length = 0;
      }
      out = [];
    },
    get turns() {
      return turns;
    },
  };
}

describe('what happens to the samples at a look changes no answer', () => {
  const held = [...makeDataset(randomFrom(SEED)).byDomain.values()].flat();

  function check(text: string, all: readonly SeriesColumns[], grid = instantGrid(0)): number {
    const expr = normalise(parseExpr(text), grid);
    const outcome = (source: Source, usage: Usage): unknown => {
      try {
        return evaluate(expr, measured(source, usage, grid));
      } catch (error) {
        return (error as Error).message;
      }
    };
    const spoiling = spoiled(memorySource(all));
    const got = outcome(spoiling.source, startUsage(Infinity, { turn: spoiling.turn }));
    expect(got, text).toEqual(outcome(memorySource(all), startUsage(Infinity)));
    return spoiling.turns;
  }

  it(`of random queries, seed ${SEED}`, () => {
    let turns = 0;
    for (let i = 0; i < 200; i++) {
      const { expr, when } = generateCase(randomFrom(SEED).fork(i));
      const text = printExpr(expr);
      const grid =
        when.kind === 'instant' ? instantGrid(when.timeMs) : rangeGrid(when.startMs, when.endMs, when.stepMs);
      turns += check(text, held, grid);
    }
    expect(turns).toBeGreaterThan(1_000);
  });

  it('of one long series', () => {
    const long = {
      labels: labelsOf({ __name__: 'x' }),
      times: Float64Array.from({ length: 4_000 }, (_, i) => i * 1_000),
      values: Float64Array.from({ length: 4_000 }, (_, i) => Math.sin(i)),
    };
    const grid = rangeGrid(0, 4_000_000, 1_000);
    expect(check('quantile_over_time(0.9, x[5m])', [long], grid)).toBeGreaterThan(20);
    expect(check('deriv(x[5m])', [long], grid)).toBeGreaterThan(20);
  });

  it('of native histograms', () => {
    const natives = Array.from({ length: 40 }, (_, i) =>
      nativeSeries(
        { __name__: 'h', i: String(i) },
        Array.from({ length: 300 }, (_none, sample) => [sample * 1_000, exponential(i % 3, [[1, sample]])]),
      ),
    );
    const grid = rangeGrid(0, 300_000, 1_000);
    for (const text of ['h', 'last_over_time(h[1m])', 'h or h', 'count(h)', 'count_over_time(h[1m])']) {
      expect(check(text, natives, grid)).toBeGreaterThan(2);
    }
  });
});
