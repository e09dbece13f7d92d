import { describe, expect, it } from 'vitest';
import { bytesOfRows, joinRows, sliceRows } from '../../../src/hub/cache/rows.ts';
import { rangeGrid } from '../../../src/model/grid.ts';
import type { HistogramLayout } from '../../../src/model/histogram.ts';
import type { Fragment } from '../../../src/plan/distribute.ts';
import { distribute } from '../../../src/plan/distribute.ts';
import {
  decodeColumns,
  encodeColumns,
  shapeOf,
  startColumnsBudget,
  type AnswerRow,
} from '../../../src/plan/frames/columns-codec.ts';
import { ALL_FEATURES } from '../../../src/promql/features.ts';
import { parseExpr } from '../../../src/promql/parse.ts';
import { plainRow, randomAnswer } from '../../plan/random-frames.ts';
import { randomFrom, type Random } from '../../random.ts';

/** One query for each kind of answer. */
const QUERIES = [
  'x',
  'sum by (job) (x)',
  'avg(x)',
  'stddev(x)',
  'group(x)',
  'max by (job) (x)',
  'quantile(0.9, x)',
  'info(x)',
];

const seed = Number(process.env['COMITY_SEED'] ?? 1);

describe(`rows cut and joined, seed ${seed}`, () => {
  it.each(QUERIES)('%s: the slices at any cuts make the whole', (text) => {
    const random = randomFrom(seed).fork(QUERIES.indexOf(text));
    for (let round = 0; round < 60; round++) {
      const fragment = random.pick(fragmentsOf(text, random));
      const { steps } = fragment.grid;
      const whole = sent(fragment, rowsFor(fragment, random));
      const before = whole.map(plainRow);
      const cuts = [0, ...cutsIn(random, steps), steps];
      const pieces = cuts.slice(1).map((to, i) => {
        const from = cuts[i]!;
        const part = { ...fragment, grid: { ...fragment.grid, steps: to - from } };
        const rows = sliceRows(whole, from, to);
        return { from, steps: to - from, rows: random.chance(0.5) ? sent(part, rows) : rows };
      });
      const joined = joinRows(pieces, steps);
      expect(plain(joined)).toEqual(plain(whole));
      expect(whole.map(plainRow)).toEqual(before);
      // The same once it went over the wire, whatever cells say that say nothing.
      expect(plain(sent(fragment, joined))).toEqual(plain(whole));
    }
  });

  it('steps that no piece has are absent', () => {
    const random = randomFrom(seed).fork(99);
    for (let round = 0; round < 60; round++) {
      const fragment = random.pick(fragmentsOf(random.pick(QUERIES), random));
      const { steps } = fragment.grid;
      const whole = sent(fragment, rowsFor(fragment, random));
      const [from = 0, to = steps] = cutsIn(random, steps);
      const holed = joinRows(
        [
          { from: 0, steps: from, rows: sliceRows(whole, 0, from) },
          { from: to, steps: steps - to, rows: sliceRows(whole, to, steps) },
        ],
        steps,
      );
      const want = whole.flatMap((row) => {
        const present = row.columns.present.map((bit, step) => (step >= from && step < to ? 0 : bit));
        return present.includes(1) ? [{ labels: row.labels, present }] : [];
      });
      expect(sortedByLabels(holed.map(({ labels, columns }) => ({ labels, present: columns.present })))).toEqual(
        sortedByLabels(want),
      );
      expect(plain(sliceRows(holed, to, steps))).toEqual(plain(sliceRows(whole, to, steps)));
    }
  });

  it('slices share no column with the whole', () => {
    const [fragment] = fragmentsOf('x', randomFrom(seed));
    const rows = [{ labels: ['a', 'b'], columns: { present: Uint8Array.of(1, 1), fields: [Float64Array.of(1, 2)] } }];
    const [slice] = sliceRows(rows, 0, 2);
    rows[0]!.columns.fields[0]![0] = 7;
    expect([fragment!.answer, slice!.columns.fields[0]]).toEqual(['vector', Float64Array.of(1, 2)]);
  });

  it('are counted by what they hold', () => {
    const row = (steps: number): AnswerRow => ({
      labels: ['a', 'b'],
      columns: { present: new Uint8Array(steps).fill(1), fields: [new Float64Array(steps)] },
    });
    expect(bytesOfRows([row(1000)]) - bytesOfRows([row(0)])).toBe(9000);
    expect(bytesOfRows([row(10), row(10)])).toBe(2 * bytesOfRows([row(10)]));
  });
});

function fragmentsOf(text: string, random: Random): readonly Fragment[] {
  const grid = rangeGrid(0, random.int(0, 30) * 15_000, 15_000);
  return distribute(parseExpr(text, ALL_FEATURES), grid, { domainLabel: 'domain', approx: 0.01 }).fragments;
}

/** Rows of different label sets. */
function rowsFor(fragment: Fragment, random: Random): readonly AnswerRow[] {
  for (;;) {
    const [answer] = randomAnswer(random, [fragment]).fragments;
    if (answer === undefined || !('rows' in answer)) continue;
    const byLabels = new Map(answer.rows.map((row) => [JSON.stringify(row.labels), { ...row, dropsName: undefined }]));
    return [...byLabels.values()];
  }
}

function sent(fragment: Fragment, rows: readonly AnswerRow[]): readonly AnswerRow[] {
  const shape = shapeOf(fragment);
  return decodeColumns(encodeColumns(rows, shape), shape, startColumnsBudget());
}

function cutsIn(random: Random, steps: number): number[] {
  const cuts = Array.from({ length: random.int(0, 4) }, () => random.int(0, steps));
  return [...new Set(cuts)].filter((at) => at > 0 && at < steps).sort((a, b) => a - b);
}

interface Plain {
  readonly state?: PlainState;
}

interface PlainState {
  readonly seen: Uint8Array;
  readonly blocks: readonly { readonly layout: HistogramLayout; readonly holds: Uint8Array; readonly steps: unknown }[];
}

/** In one order, blocks as well, and without blocks that hold nothing or states that saw floats alone, which say nothing. */
function plain(rows: readonly AnswerRow[]): unknown {
  return sortedByLabels(rows).map((row) => {
    const { state, ...rest } = plainRow(row) as Plain;
    if (state === undefined || state.seen.every((bits) => bits < 2)) return rest;
    const blocks = state.blocks.filter(({ holds }) => holds.some((held) => held !== 0));
    return { ...rest, state: { ...state, blocks: blocks.toSorted((a, b) => (kindOf(a) < kindOf(b) ? -1 : 1)) } };
  });
}

function kindOf({ layout }: PlainState['blocks'][number]): string {
  const { schema, zeroThreshold, bounds } = layout;
  return JSON.stringify([schema, zeroThreshold, [...bounds]]);
}

function sortedByLabels<Row extends { readonly labels: readonly string[] }>(rows: readonly Row[]): readonly Row[] {
  const key = ({ labels }: Row): string => JSON.stringify(labels);
  return rows.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}
