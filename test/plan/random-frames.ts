import { argumentKinds, isNoteCode, noteLevel, type ArgumentKind } from '../../src/engine/note-codes.ts';
import type { Note } from '../../src/engine/notes.ts';
import { instantGrid, rangeGrid } from '../../src/model/grid.ts';
import {
  BUCKET_CELLS,
  cellsOf,
  CUSTOM_BUCKETS,
  FLOAT_ROW,
  histogramAt,
  type HistogramColumns,
  type HistogramLayout,
} from '../../src/model/histogram.ts';
import { partialOf, zeroColumns } from '../../src/partial/algebra.ts';
import { NOTHING } from '../../src/partial/histogram-block.ts';
import {
  addHistograms,
  mergeHistograms,
  seeFloats,
  zeroHistograms,
  type PartialHistograms,
} from '../../src/partial/partial-histograms.ts';
import type { PartialColumns } from '../../src/partial/partial.ts';
import type { AnswerRow } from '../../src/plan/frames/columns-codec.ts';
import { distribute, type Fragment } from '../../src/plan/distribute.ts';
import {
  NOTHING_KNOWN,
  type CoverageQuestion,
  type CoverageRun,
  type CoverageRuns,
  type LateTold,
} from '../../src/plan/frames/coverage-codec.ts';
import type { FragmentQuery, QueryAnswer } from '../../src/plan/frames/query-codec.ts';
import { nodesIn } from '../../src/plan/frames/preorder.ts';
import type { Refusal } from '../../src/plan/frames/refusal-codec.ts';
import type { DomainStatus } from '../../src/plan/frames/status-codec.ts';
import { ALL_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import type { Random } from '../random.ts';
import { ASKED_BESIDE } from './beside.ts';

export const STATUS: DomainStatus = {
  domain: 'eu',
  policyDigest: 'abc',
  expectedStreams: 3,
  observedStreams: 2,
  settledUntilMs: 1_795_258_811_585,
  heldFromMs: 1_795_000_000_000,
  rawBytesHeld: 5e9,
  releasedBytes: 7,
  gaps: [
    { fromMs: -5, toMs: 0 },
    { fromMs: 1_795_000_000_000, toMs: 1_795_000_060_000 },
  ],
  bundleDigest: 'f00d',
  bundleVersion: 3,
  policyState: 'in force',
};

const QUERIES = [
  'sum by (job) (rate(x[5m])) / on (job) avg by (job) (y)',
  'x * 2 + on (domain, job) group_left (zone) fill_left (0) y{zone!~"a|b"}',
  'topk(2, x) or bottomk by (job) (1, y offset -5m)',
  'quantile(0.9, x) > 3',
  'stddev(x) - stdvar(x) + count(x) + group(x)',
  'max(x) - min(x @ 1.5) or histogram_quantile(0.5, sum(h))',
  'count_values("v", avg by (job) (h))',
  'max_over_time(sum(x)[1h:1m])',
  'label_join(x, "d", ",", "a") unless absent(y smoothed)',
  'info(x)',
  'x',
];

/** The fragments of some query. */
export function randomFragments(random: Random): readonly Fragment[] {
  const text = random.pick(QUERIES);
  const grid = random.chance(0.3) ? instantGrid(60_000) : rangeGrid(0, random.int(1, 40) * 15_000, 15_000);
  const approx = random.chance(0.7) ? 0.01 : undefined;
  return distribute(parseExpr(text, ALL_FEATURES), grid, { domainLabel: 'domain', approx }).fragments;
}

/** What is asked beside the fragments. */
export function randomBeside(random: Random): Pick<FragmentQuery, 'coverage' | 'since' | 'id'> {
  return {
    coverage: Array.from({ length: random.int(0, 3) }, () => randomQuestion(random)),
    since: random.chance(0.3) ? NOTHING_KNOWN : { epoch: 'a1b2', sequence: random.int(0, 1e9) },
    id: Uint8Array.from({ length: 8 }, () => random.int(0, 255)),
  };
}

function randomQuestion(random: Random): CoverageQuestion {
  const grid = { startMs: random.int(-1e6, 1e12), stepMs: random.int(1, 60_000), steps: random.int(1, 100) };
  const reads = Array.from({ length: random.int(0, 4) }, () => {
    const fromMs = random.int(-1e12, 1e6);
    return {
      metric: random.pick(['', 'x', 'büro']),
      fromMs,
      toMs: fromMs + random.int(0, 1e6),
      fixed: random.chance(0.3),
    };
  });
  return { grid, reads };
}

/** Runs that add up to the steps of the grid. */
function randomRuns(random: Random, { grid }: CoverageQuestion): CoverageRuns {
  const runs: CoverageRun[] = [];
  for (let left = grid.steps; left > 0;) {
    const steps = random.int(1, left);
    const expected = random.int(0, 1_000);
    runs.push({ steps, observed: random.int(0, expected), expected });
    left -= steps;
  }
  return { runs, suppressible: random.chance(0.5) };
}

function randomLate(random: Random): LateTold | undefined {
  if (random.chance(0.3)) return undefined;
  const mark = { epoch: 'c3d4', sequence: random.int(0, 1e12) };
  if (random.chance(0.2)) return { ...mark, everything: true, intervals: [] };
  let atMs = -8.64e15;
  const intervals = Array.from({ length: random.int(0, 5) }, () => {
    const fromMs = atMs + random.int(0, 1e12);
    const toMs = fromMs + random.int(0, 1e6);
    atMs = toMs + 1;
    return { fromMs, toMs };
  });
  return { ...mark, everything: false, intervals };
}

/** An answer as an agent makes it, in whose notes spans begin with the index of the node. */
export function randomAnswer(
  random: Random,
  fragments: readonly Fragment[],
  { coverage, id }: Pick<FragmentQuery, 'coverage' | 'id'> = ASKED_BESIDE,
): QueryAnswer {
  return {
    id,
    status: STATUS,
    coverage: coverage.map((question) => randomRuns(random, question)),
    late: randomLate(random),
    fragments: fragments.map((fragment) => {
      if (random.chance(0.2)) return { refusal: randomRefusal(random, nodesIn(fragment.expr)) };
      const notes = Array.from({ length: random.int(0, 2) }, () => randomNote(random, nodesIn(fragment.expr)));
      return { rows: randomRows(random, fragment), notes };
    }),
  };
}

function randomRows(random: Random, fragment: Fragment): AnswerRow[] {
  const names = ['__name__', 'domain', 'instance', 'ünïcode label'];
  return Array.from({ length: random.int(0, 6) }, () => {
    const labels = random.subset(names, 0.6).flatMap((name) => [name, random.pick(['a', 'bc', 'é', 'd'.repeat(90)])]);
    const dropsName = random.chance(0.2) ? { dropsName: true } : {};
    return { labels, ...randomColumns(random, fragment), ...dropsName };
  });
}

const CODES = [
  'invalid_quantile',
  'invalid_ratio',
  'bad_bucket_label',
  'mixed_floats_histograms_in_aggregation',
  'start_time_overlap',
  'forced_monotonicity',
  'possible_non_counter_type',
  'incompatible_types',
  'ignored_in_aggregation',
  'custom_bounds_reconciled',
].filter(isNoteCode);

export function randomNote(random: Random, nodes: number): Note {
  const code = random.pick(CODES);
  const index = random.int(0, nodes - 1);
  const args = argumentKinds(code).map((kind) => randomArgument(random, kind));
  const note = { level: noteLevel(code), code, args, span: { start: index, end: index + 1 } };
  if (code === 'start_time_overlap') return { ...note, detail: { kind: 'overlap', samples: random.int(1, 99) } };
  if (code !== 'forced_monotonicity' || random.chance(0.3)) return note;
  const bounds = { leastBound: randomNumber(random), mostBound: randomNumber(random), mostDifference: 1.5 };
  return { ...note, detail: { kind: 'monotonicity', fromMs: -5, toMs: 1e12, ...bounds, samples: 3 } };
}

/** What rows come to, whatever arrays they share and what is in cells that say nothing. */
export function plainRow({ labels, columns, histograms, dropsName }: AnswerRow): unknown {
  const { present, fields, histograms: state, sketches } = columns;
  const steps = [...present.keys()].filter((step) => present[step] === 1);
  const isNative = (step: number): boolean => histograms !== undefined && histograms.layoutOf[step] !== FLOAT_ROW;
  return {
    labels,
    present,
    fields: fields.map((field) => steps.map((step) => (isNative(step) ? 'native' : field[step]))),
    dropsName: dropsName === true,
    histograms: steps.map((step) => (isNative(step) ? histogramAt(histograms!, step) : undefined)),
    state: state === undefined ? undefined : plainState(state),
    sketches:
      sketches === undefined
        ? undefined
        : { starts: sketches.starts, keys: [...sketches.keys], counts: [...sketches.counts] },
  };
}

function plainState({ seen, metric, clashing, blocks }: PartialHistograms): unknown {
  return {
    seen,
    metric,
    clashing,
    blocks: blocks.map(({ layout, holds, hints, counts, cells, lost }) => ({
      layout,
      holds,
      steps: [...holds.keys()].map((step) => {
        if (holds[step] === NOTHING) return undefined;
        const width = cellsOf(layout);
        const numbers = [cells, lost].map((all) => [...all.subarray(step * width, (step + 1) * width)]);
        return { hint: hints[step], count: counts[step], numbers };
      }),
    })),
  };
}

/** Floats and native histograms at the present steps. */
interface RandomVector {
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly histograms: HistogramColumns | undefined;
}

function randomColumns(random: Random, fragment: Fragment): Pick<AnswerRow, 'columns' | 'histograms'> {
  const { steps } = fragment.grid;
  if (fragment.answer === 'vector' || fragment.answer === 'timed') {
    const { values, present, histograms } = randomVector(random, steps, fragment.answer === 'vector' ? 0.4 : 0);
    return { columns: { present, fields: [values] }, ...(histograms !== undefined && { histograms }) };
  }
  const partial = partialOf(fragment);
  const columns = zeroColumns(partial, steps);
  const isSum = partial.histograms === 'sum' || partial.histograms === 'mean';
  for (let series = random.int(1, 4); series > 0; series--) {
    const vector = randomVector(random, steps, isSum ? 0.4 : 0);
    addVector(columns, vector, isSum ? partial.histograms : undefined, random);
    const { histograms } = vector;
    const isFloat = vector.present.map((bit, step) =>
      (histograms?.layoutOf[step] ?? FLOAT_ROW) === FLOAT_ROW ? bit : 0,
    );
    partial.add(columns, vector.values, isFloat);
    for (let step = 0; step < steps; step++) columns.present[step]! |= vector.present[step]!;
  }
  partial.settle?.(columns);
  return { columns };
}

function addVector(
  columns: PartialColumns,
  { present, histograms }: RandomVector,
  aggregate: 'sum' | 'mean' | undefined,
  random: Random,
): void {
  if (aggregate === undefined) return;
  if (histograms === undefined) {
    if (columns.histograms !== undefined) seeFloats(columns.histograms, present);
    return;
  }
  const isFloat = present.map((bit, step) => (histograms.layoutOf[step] === FLOAT_ROW ? bit : 0));
  const state = zeroHistograms(isFloat);
  addHistograms(state, histograms, present, random.pick(['h', 'latency', '']), aggregate, 'anyOrder');
  const into = (columns.histograms ??= zeroHistograms(columns.present));
  mergeHistograms(into, state, aggregate);
}

function randomVector(random: Random, steps: number, nativeShare: number): RandomVector {
  const present = Uint8Array.from({ length: steps }, () => (random.chance(0.7) ? 1 : 0));
  present[random.int(0, steps - 1)] = 1;
  const values = Float64Array.from(present, (bit) => (bit === 1 ? randomNumber(random) : 0));
  if (!random.chance(nativeShare)) return { values, present, histograms: undefined };
  const layouts = Array.from({ length: random.int(1, 3) }, () => randomLayout(random));
  const layoutOf = Int32Array.from(present, (bit) =>
    bit === 1 && random.chance(0.7) ? random.int(0, layouts.length - 1) : FLOAT_ROW,
  );
  layoutOf[present.indexOf(1)] = 0;
  const numbers: number[] = [];
  const starts = Uint32Array.from(layoutOf, (layout) => {
    const start = numbers.length;
    if (layout === FLOAT_ROW) return 0;
    for (let i = 0; i < cellsOf(layouts[layout]!); i++) numbers.push(i < BUCKET_CELLS ? i : randomNumber(random));
    return start;
  });
  const hints = Uint8Array.from(layoutOf, (layout) => (layout === FLOAT_ROW ? 0 : random.int(0, 3)));
  return { values, present, histograms: { layouts, layoutOf, hints, starts, cells: Float64Array.from(numbers) } };
}

function randomLayout(random: Random): HistogramLayout {
  if (random.chance(0.3)) {
    const bounds = Float64Array.from(ascending(random, random.int(0, 4), -3, 3));
    const positive = Int32Array.from(random.subset([...Array(bounds.length + 1).keys()], 0.7));
    return { schema: CUSTOM_BUCKETS, zeroThreshold: 0, positive, negative: new Int32Array(0), bounds };
  }
  return {
    schema: random.int(-4, 8),
    zeroThreshold: random.pick([0, 2 ** -128, 0.001]),
    positive: Int32Array.from(ascending(random, random.int(0, 5), -20, 40)),
    negative: Int32Array.from(ascending(random, random.int(0, 3), -20, 40)),
    bounds: new Float64Array(0),
  };
}

function ascending(random: Random, count: number, least: number, most: number): number[] {
  const all = new Set(Array.from({ length: count }, () => random.int(least, most)));
  return [...all].sort((a, b) => a - b);
}

const NUMBERS = [0, -0, 1, -2.5, 0.1, 1e308, -1e308, 5e-324, Infinity, -Infinity, NaN, 2 ** 53 + 2];

function randomNumber(random: Random): number {
  return random.chance(0.3) ? random.pick(NUMBERS) : random.float(-100, 100);
}

function randomArgument(random: Random, kind: ArgumentKind): string | number {
  if (kind === 'number') return randomNumber(random);
  if (typeof kind === 'object' || kind === 'metric') return random.pick(['', 'x_total', 'é"']);
  return { operation: 'addition', operator: '>=', sampleType: 'histogram', aggregation: 'topk' }[kind];
}

function randomRefusal(random: Random, nodes: number): Refusal {
  const refusal = { code: random.pick(['class_sealed', 'operator_not_permitted', 'source_unavailable'] as const) };
  const named = { ...refusal, name: random.pick(['', 'x', 'topk']) };
  return random.chance(0.5) ? named : { ...named, node: random.int(0, nodes - 1) };
}
