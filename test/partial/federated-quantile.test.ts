import { expect, it } from 'vitest';
import { evaluate } from '../../src/engine/evaluate.ts';
import { noteText } from '../../src/engine/note-codes.ts';
import { startNotes } from '../../src/engine/notes.ts';
import type { Row } from '../../src/engine/rows.ts';
import { startUsage } from '../../src/engine/usage.ts';
import { rangeGrid, type QueryGrid } from '../../src/model/grid.ts';
import { labelsKey } from '../../src/model/labels.ts';
import type { SeriesColumns } from '../../src/model/series.ts';
import {
  decodeColumns,
  encodeColumns,
  shapeOf,
  startColumnsBudget,
  type AnswerRow,
} from '../../src/plan/frames/columns-codec.ts';
import { distribute, type Fragment } from '../../src/plan/distribute.ts';
import { mergeFragment } from '../../src/plan/merge.ts';
import { normalise } from '../../src/plan/normalise.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import type { ShardOptions } from '../../src/shard/local-shard.ts';
import { openQueries, type Queries } from '../../src/shard/queries.ts';
import { contextOver } from '../engine/context.ts';
import { exponential } from '../engine/native-series.ts';
import { memorySource, series } from '../memory-source.ts';
import { randomFrom } from '../random.ts';
import { memoryShards } from '../shard/memory-shards.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Date.now() % 1_000_000);
const DOMAINS = ['d1', 'd2', 'd3'];
const GRID: QueryGrid = rangeGrid(0, 600_000, 30_000);
const POLICY = '{version: 1, domain: d, labels: {permit: ["*"]}, default_class: aggregate}';
const OPTIONS: ShardOptions = {
  policies: [{ layers: [{ layer: 'local', source: 'test', text: POLICY }], domain: 'd', domainLabel: 'domain' }],
};

/** Values of one sign, so that the error of a quantile is one relative to it. */
function dataset(): SeriesColumns[] {
  const random = randomFrom(SEED);
  return Array.from({ length: 120 }, (_, i) => {
    const labels = { __name__: 'm', domain: random.pick(DOMAINS), job: random.pick(['a', 'b', 'c']), i: `${i}` };
    const samples = Array.from({ length: 20 }, (_none, k): [number, number] => [
      k * 30_000 + random.int(0, 20_000),
      random.chance(0.05) ? random.pick([0, NaN, Infinity]) : Math.exp(random.float(-6, 6)),
    ]);
    if (i === 0) return series(labels, [[0, exponential(0, [[1, 2]])], ...samples.slice(5)]);
    return series(labels, samples.slice(random.int(0, 9)));
  });
}

const ALL = dataset();

/** What a hub makes of it over domains of one, two and three shards. */
async function federated(text: string, approx: number): Promise<{ rows: readonly Row[]; notes: readonly string[] }> {
  const domains: readonly Queries[] = DOMAINS.map((domain, i) =>
    openQueries(
      memoryShards(
        ALL.filter(({ labels }) => labels.includes(domain)),
        i + 1,
        OPTIONS,
      ),
    ),
  );
  const { fragments, remainder } = distribute(parseExpr(text), GRID, { domainLabel: 'domain', approx });
  expect(fragments.map(({ answer }) => answer)).toContain('sketch');
  const usage = startUsage(Infinity);
  const notes = startNotes();
  const merged = [];
  for (const fragment of fragments) {
    const rows: AnswerRow[] = [];
    for (const domain of domains) {
      const spent = { series: 0, cells: 0, samples: 0, regexWork: 0 };
      const question = { fragment, lookbackMs: 60_000, features: NO_FEATURES, deadlineMs: Date.now() + 30_000, spent };
      const answer = await domain.fragment(question, new AbortController().signal);
      for (const note of answer.notes) notes.add(note);
      rows.push(...overTheWire(fragment, answer.rows));
    }
    merged.push(mergeFragment(fragment, rows, notes, usage));
  }
  const source = memorySource([]);
  const value = evaluate(remainder, contextOver(source, GRID, { lookbackMs: 60_000, merged, usage, notes }));
  if (value.kind !== 'vector') throw new Error('no vector');
  return { rows: value.rows, notes: notes.list().map((note) => noteText(note)) };
}

function overTheWire(fragment: Fragment, rows: readonly AnswerRow[]): readonly AnswerRow[] {
  const shape = shapeOf(fragment);
  return decodeColumns(encodeColumns(rows, shape), shape, startColumnsBudget());
}

it.each([
  ['quantile by (job) (0.9, m)', 0.01],
  ['quantile(0.5, m)', 0.001],
  ['quantile without (i, domain) (0, m)', 0.05],
  ['quantile by (job) (1, avg_over_time(m[2m]))', 0.02],
  ['quantile(1.5, m)', 0.01],
  ['quantile(NaN, m)', 0.01],
  ['quantile(-1, sum by (job, domain) (m)) or vector(1)', 0.01],
  ['quantile by (job) (0.99, rate(m[2m]) + 1) * 2', 0.01],
  ['quantile(0.9, nothing)', 0.01],
])(`%s with an error of %s (seed ${SEED})`, async (text, approx) => {
  const { rows, notes } = await federated(text, approx);
  const exactNotes = startNotes();
  const context = contextOver(memorySource(ALL), GRID, { lookbackMs: 60_000, notes: exactNotes });
  const exact = evaluate(normalise(parseExpr(text), GRID), context);
  if (exact.kind !== 'vector') throw new Error('no vector');
  const got = new Map(rows.map((row) => [labelsKey(row.labels), row]));
  expect([...got.keys()].sort()).toEqual(exact.rows.map(({ labels }) => labelsKey(labels)).sort());
  for (const want of exact.rows) {
    const row = got.get(labelsKey(want.labels))!;
    expect([...row.present]).toEqual([...want.present]);
    for (const [step, there] of want.present.entries()) {
      if (there === 0) continue;
      const [a, b] = [row.values[step]!, want.values[step]!];
      if (!Number.isFinite(b)) expect(a, `step ${step}`).toBe(b);
      else expect(Math.abs(a - b), `step ${step}: ${a} for ${b}`).toBeLessThanOrEqual((approx + 1e-12) * Math.abs(b));
    }
  }
  expect(notes.toSorted()).toEqual(
    exactNotes
      .list()
      .map((note) => noteText(note))
      .sort(),
  );
});
