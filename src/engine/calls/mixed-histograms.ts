import { parseFloatStrict } from '../../base/numbers.ts';
import { histogramAt, isHistogramAt, type NativeHistogram } from '../../model/histogram.ts';
import { dropLabels, labelsKey, labelValue, METRIC_NAME, type Labels } from '../../model/labels.ts';
import type { Expr } from '../../promql/ast.ts';
import { badBucketLabel, mixedClassicNative } from '../annotations.ts';
import type { Evaluation } from '../evaluation.ts';
import type { Note } from '../notes.ts';
import { anyPresent, assertCells, type Row } from '../rows.ts';
import { spend } from '../usage.ts';
import { floatsOf } from './value-calls.ts';

/**
 * The histograms of a vector, in which native and classic ones may stand side by side: floats are the buckets of classic
 * histograms, which are told apart by the labels but `le`. Where a native and a classic histogram of the same labels meet at
 * a step, neither counts there.
 */
interface MixedHistograms {
  readonly native: readonly NativeColumns[];
  readonly classic: readonly ClassicHistogram[];
  /** Whether a native and a classic histogram have the same labels. */
  readonly areShared: boolean;
}

/** What was worked out for a native histogram at each step. */
interface NativeColumns {
  readonly labels: Labels;
  readonly dropsName: boolean | undefined;
  readonly present: Uint8Array;
  /** One column for each function of `nativeOutcome`. */
  readonly columns: readonly Float64Array[];
}

/** Buckets in ascending order of their bounds. */
export interface ClassicHistogram {
  /** Without `le`. */
  readonly labels: Labels;
  readonly dropsName: boolean | undefined;
  readonly buckets: readonly ClassicBucket[];
  /** Where it has a bucket and may count. */
  readonly present: Uint8Array;
}

interface ClassicBucket {
  readonly bound: number;
  readonly le: string;
  readonly counts: Float64Array;
  readonly present: Uint8Array;
}

/** What a function makes of one native histogram, and the note that goes with it. */
interface NativeOutcome {
  readonly value: number;
  readonly note?: Note | undefined;
}

/** The functions of the query over one native histogram; `metric` is its name in notes. */
export type NativeFunction = (histogram: NativeHistogram, step: number, metric: string) => NativeOutcome;

/**
 * Reads a vector and works its native histograms out on the way, since a vector of those may be too large to hold: the
 * classic ones have to wait until all their buckets are there.
 */
export function mixedHistograms(
  vector: Expr,
  functions: readonly NativeFunction[],
  evaluation: Evaluation,
): MixedHistograms {
  const { notes, usage, features } = evaluation;
  const native: (NativeColumns & { readonly key: string; readonly notes: readonly StepNote[] })[] = [];
  const groups = new Map<string, BucketGroup>();
  const floats = new Uint8Array(evaluation.grid.steps);
  let cells = 0;
  const shownName = (labels: Labels): string => (features.delayedNameRemoval ? labelValue(labels, METRIC_NAME) : '');
  evaluation.rows(vector, (row) => {
    if (row.histograms !== undefined) {
      const outcome = nativeColumns(row, functions, shownName(row.labels));
      if (outcome !== undefined) {
        native.push({ ...outcome, key: labelsKey(row.labels) });
        cells += row.values.length * (functions.length + 1);
      }
    }
    floatsOf(row, floats);
    if (anyPresent(floats)) {
      const le = labelValue(row.labels, 'le');
      const bound = parseFloatStrict(le);
      if (bound === undefined) return notes.add(badBucketLabel(shownName(row.labels), le, vector.span));
      groupOf(row).push({ bound, le, counts: row.values.slice(), present: floats.slice() });
      cells += row.values.length;
    }
    assertCells(cells);
  });

  function groupOf(row: Row): ClassicBucket[] {
    const labels = dropLabels(row.labels, LE);
    const key = labelsKey(labels);
    let group = groups.get(key);
    if (group === undefined) {
      group = { labels, dropsName: row.dropsName, buckets: [] };
      groups.set(key, group);
    }
    return group.buckets;
  }

  const classicOf = new Map<string, ClassicHistogram>();
  for (const [key, group] of groups) {
    spend(usage, group.buckets.length * (GROUP_WORK + floats.length));
    classicOf.set(key, ordered(group, floats.length));
  }
  let areShared = false;
  for (const one of native) {
    spend(usage, GROUP_WORK + floats.length);
    const other = classicOf.get(one.key);
    areShared ||= other !== undefined;
    if (other !== undefined && dropShared(one.present, other.present)) {
      notes.add(mixedClassicNative(shownName(one.labels), vector.span));
    }
    for (const { step, note } of one.notes) if (one.present[step] === 1) notes.add(note);
  }
  return { native, classic: [...classicOf.values()], areShared };
}

const LE: ReadonlySet<string> = new Set(['le']);

/** What it takes to find the histogram of a row, or its bucket's place, in cells. */
const GROUP_WORK = 128;

interface BucketGroup {
  readonly labels: Labels;
  readonly dropsName: boolean | undefined;
  readonly buckets: ClassicBucket[];
}

interface StepNote {
  readonly step: number;
  readonly note: Note;
}

function nativeColumns(
  { labels, dropsName, present, histograms }: Row,
  functions: readonly NativeFunction[],
  metric: string,
): (NativeColumns & { readonly notes: readonly StepNote[] }) | undefined {
  const steps = present.length;
  const there = new Uint8Array(steps);
  const columns = functions.map(() => new Float64Array(steps));
  const notes: StepNote[] = [];
  for (let step = 0; step < steps; step++) {
    if (present[step] === 0 || !isHistogramAt(histograms, step)) continue;
    there[step] = 1;
    const histogram = histogramAt(histograms, step);
    for (let f = 0; f < functions.length; f++) {
      const { value, note } = functions[f]!(histogram, step, metric);
      columns[f]![step] = value;
      // Equal notes are one, but a step may yet turn out not to count.
      if (note !== undefined) notes.push({ step, note });
    }
  }
  return anyPresent(there) ? { labels, dropsName, present: there, columns, notes } : undefined;
}

/** Where bounds say nothing of the order, that of the labels counts. */
function ordered({ labels, dropsName, buckets }: BucketGroup, steps: number): ClassicHistogram {
  buckets.sort((a, b) => (a.le < b.le ? -1 : 1)).sort(byBound);
  const present = new Uint8Array(steps);
  for (const bucket of buckets) {
    for (let step = 0; step < steps; step++) present[step]! |= bucket.present[step]!;
  }
  return { labels, dropsName, buckets, present };
}

/** A difference would be NaN for two infinities and for `le="NaN"`, which compares equal to everything in Go's sort. */
function byBound(a: ClassicBucket, b: ClassicBucket): number {
  if (a.bound < b.bound) return -1;
  return a.bound > b.bound ? 1 : 0;
}

/** Takes out of both what both have; returns whether there was any. */
function dropShared(one: Uint8Array, other: Uint8Array): boolean {
  let any = false;
  for (let step = 0; step < one.length; step++) {
    if (one[step] === 0 || other[step] === 0) continue;
    any = true;
    one[step] = 0;
    other[step] = 0;
  }
  return any;
}
