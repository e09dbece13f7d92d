import { isHistogramAt } from '../../model/histogram.ts';
import type { Aggregate } from '../../promql/ast.ts';
import { invalidLimit, limitsOf } from './aggregate-parameter.ts';
import { ignoredInAggregation } from '../annotations.ts';
import type { Evaluation } from '../evaluation.ts';
import { groupingOf } from './groups.ts';
import { labelOrder } from './label-order.ts';
import type { Row, RowSink } from '../rows.ts';
import { comparedWithLooks, spend, type Usage } from '../usage.ts';

/**
 * `topk` and `bottomk`: at each step the k largest (smallest) floats of each group, with the labels of their series. NaN
 * comes last, and equal values are in the order of their labels. An instant answer has the groups one after the other and
 * each by value; a range answer is ordered by labels when it is written.
 */
export function topkRows(node: Aggregate, evaluation: Evaluation, sink: RowSink): void {
  const { usage, notes } = evaluation;
  const parameters = evaluation.scalar(node.param!);
  const rows = evaluation.collect(node.expr);
  const invalid = invalidLimit(parameters);
  if (invalid !== undefined) throw invalid;
  const limits = limitsOf(parameters, rows.length);
  if (!limits.some((limit) => limit > 0)) return;
  const ranking = rankingOf(node.op === 'topk', rows, usage);
  const chosen = rows.map((row) => new Uint8Array(row.present.length));
  const groups = membersOf(node, rows, usage);
  for (const members of groups) {
    if (choose(members, rows, limits, ranking, chosen, usage)) {
      notes.add(ignoredInAggregation(node.op, node.span));
    }
  }
  for (const members of groups) {
    const order = members.filter((index) => chosen[index]!.includes(1));
    if (limits.length === 1) {
      const keyOf = (index: number): number => ranking.keyOf(rows[index]!.values[0]!);
      order.sort(comparedWithLooks((a, b) => (ranking.isWorse(keyOf(a), a, keyOf(b), b) ? 1 : -1), usage));
    }
    for (const index of order) sink({ ...rows[index]!, present: chosen[index]!, histograms: undefined });
  }
}

/** What it takes to find the group of a row, in cells. */
const GROUP_WORK = 128;

/** The rows of each group by index, in the order in which they came. */
function membersOf(node: Aggregate, rows: readonly Row[], usage: Usage): number[][] {
  const grouping = groupingOf(node);
  const groups = new Map<string, number[]>();
  rows.forEach((row, index) => {
    spend(usage, GROUP_WORK);
    const key = grouping.key(row.labels);
    const members = groups.get(key);
    if (members === undefined) groups.set(key, [index]);
    else members.push(index);
  });
  return [...groups.values()];
}

/**
 * Marks what a group has chosen in `chosen`; true when there are histograms among what there was to choose from. Row after
 * row, so that columns are read from end to end: each step has a heap of the best so far with the worst of them on top.
 */
function choose(
  members: readonly number[],
  rows: readonly Row[],
  limits: Uint32Array,
  ranking: Ranking,
  chosen: readonly Uint8Array[],
  usage: Usage,
): boolean {
  const steps = limits.length;
  const heaps = startHeaps(limits, members.length);
  const { starts, sizes, entries, keys } = heaps;
  let sawHistogram = false;
  for (const index of members) {
    spend(usage, steps);
    const { values, present, histograms } = rows[index]!;
    for (let step = 0; step < steps; step++) {
      if (present[step] === 0) continue;
      const start = starts[step]!;
      const room = starts[step + 1]! - start;
      if (room === 0) continue;
      if (histograms !== undefined && isHistogramAt(histograms, step)) {
        sawHistogram = true;
        continue;
      }
      const key = ranking.keyOf(values[step]!);
      const size = sizes[step]!;
      if (size < room) {
        entries[start + size] = index;
        keys[start + size] = key;
        sizes[step] = size + 1;
        if (size + 1 === room) heapify(heaps, start, room, ranking);
        continue;
      }
      // Most are worse than the worst of a full heap. NaN compares with nothing, and takes the longer way.
      if (key < keys[start]! || !ranking.isWorse(keys[start]!, entries[start]!, key, index)) continue;
      siftDown(heaps, start, room, 0, key, index, ranking);
    }
  }
  for (let step = 0; step < steps; step++) {
    const start = starts[step]!;
    for (let at = start; at < start + sizes[step]!; at++) chosen[entries[at]!]![step] = 1;
  }
  return sawHistogram;
}

/** A heap a step, one behind the other; until one is full it is a list. */
interface Heaps {
  /** Step -> where its heap begins; one more at the end. */
  readonly starts: Uint32Array;
  readonly sizes: Uint32Array;
  /** Indices of rows, and their keys. */
  readonly entries: Uint32Array;
  readonly keys: Float64Array;
}

function startHeaps(limits: Uint32Array, members: number): Heaps {
  const steps = limits.length;
  const starts = new Uint32Array(steps + 1);
  for (let step = 0; step < steps; step++) starts[step + 1] = starts[step]! + Math.min(limits[step]!, members);
  const room = starts[steps]!;
  return { starts, sizes: new Uint32Array(steps), entries: new Uint32Array(room), keys: new Float64Array(room) };
}

interface Ranking {
  /** What a value is ranked by: larger is better, NaN is worst. */
  keyOf(value: number): number;
  /** Whether row `a` comes later than row `b` where they have these keys. */
  isWorse(aKey: number, a: number, bKey: number, b: number): boolean;
}

function rankingOf(largestFirst: boolean, rows: readonly Row[], usage: Usage): Ranking {
  const sign = largestFirst ? 1 : -1;
  let places: Uint32Array | undefined;
  return {
    keyOf: (value) => value * sign,
    isWorse(aKey, a, bKey, b) {
      if (aKey < bKey) return true;
      if (aKey > bKey) return false;
      const isNaNFirst = aKey !== aKey;
      if (isNaNFirst !== (bKey !== bKey)) return isNaNFirst;
      // Only where values are equal it takes the order of labels, and then often.
      places ??= placesByLabels(rows, usage);
      return places[a]! > places[b]!;
    },
  };
}

/** Row -> its place among all in the order of labels. */
function placesByLabels(rows: readonly Row[], usage: Usage): Uint32Array {
  const places = new Uint32Array(rows.length);
  for (const [place, index] of labelOrder(rows, usage).entries()) places[index] = place;
  return places;
}

/** Makes a list of `size` a heap. */
function heapify(heaps: Heaps, start: number, size: number, ranking: Ranking): void {
  for (let at = (size >>> 1) - 1; at >= 0; at--) {
    siftDown(heaps, start, size, at, heaps.keys[start + at]!, heaps.entries[start + at]!, ranking);
  }
}

/** Puts an entry in the place of the one at `from`, below which all is a heap. */
function siftDown(
  { entries, keys }: Heaps,
  start: number,
  size: number,
  from: number,
  key: number,
  entry: number,
  { isWorse }: Ranking,
): void {
  let at = start + from;
  for (let child = 2 * from + 1; child < size; child = 2 * (at - start) + 1) {
    let worst = start + child;
    if (child + 1 < size && isWorse(keys[worst + 1]!, entries[worst + 1]!, keys[worst]!, entries[worst]!)) worst++;
    if (!isWorse(keys[worst]!, entries[worst]!, key, entry)) break;
    entries[at] = entries[worst]!;
    keys[at] = keys[worst]!;
    at = worst;
  }
  entries[at] = entry;
  keys[at] = key;
}
