import { FLOAT_ROW, type HistogramColumns } from '../../model/histogram.ts';
import { dropLabels, keepLabels, labelsKey, labelValue, METRIC_NAME, type Labels } from '../../model/labels.ts';
import { partialOf, zeroColumns, type TwoLevelAggregation } from '../../partial/algebra.ts';
import { finishHistograms, type FinishedHistograms } from '../../partial/finish-histograms.ts';
import {
  addHistograms,
  mergeHistograms,
  numbersIn,
  seeFloats,
  zeroHistograms,
  type HistogramOrder,
} from '../../partial/partial-histograms.ts';
import type { PartialColumns } from '../../partial/partial.ts';
import { numbersInSketches } from '../../partial/sketch.ts';
import type { Aggregate } from '../../promql/ast.ts';
import {
  counterResetCollision,
  customBoundsReconciled,
  invalidQuantile,
  mixedExponentialCustom,
  mixedFloatsHistogramsInAggregation,
} from '../annotations.ts';
import type { EvalContext } from '../context.ts';
import { hasHistogram } from '../select/histogram-rows.ts';
import { innerSpan } from './inner-span.ts';
import type { Note } from '../notes.ts';
import { anyPresent, assertCells, type Row, type RowSink } from '../rows.ts';
import { spend } from '../usage.ts';

/** The state of one group of an aggregation. */
export interface Group {
  readonly labels: Labels;
  readonly columns: PartialColumns;
  /** As `Row.dropsName`. */
  readonly dropsName?: boolean | undefined;
}

/** The group that a series falls into. */
export interface Grouping {
  /** Its label set. */
  labels(labels: Labels): Labels;
  /** A string that is equal for series of one group only, and the same for the group's own label set. */
  key(labels: Labels): string;
}

export function groupingOf(node: Pick<Aggregate, 'grouping' | 'without'>): Grouping {
  const names = new Set(node.grouping);
  if (node.without) {
    names.add(METRIC_NAME);
    return groupingBy((labels) => dropLabels(labels, names));
  }
  // One label, or none, as most have it: then no label set is made to find the group.
  const [only] = names;
  if (only === undefined) return { labels: () => [], key: () => '' };
  if (names.size === 1)
    return { labels: (labels) => keepLabels(labels, names), key: (labels) => labelValue(labels, only) };
  return groupingBy((labels) => keepLabels(labels, names));
}

/** Label sets that are those of groups already. */
export const GROUPED: Grouping = groupingBy((labels) => labels);

function groupingBy(labelsOfGroup: (labels: Labels) => Labels): Grouping {
  return { labels: labelsOfGroup, key: (labels) => labelsKey(labelsOfGroup(labels)) };
}

/** Groups of an aggregation, filled row by row or merged from the groups of others. */
export interface Groups {
  /** Takes in a series. */
  readonly add: RowSink;
  merge(group: Group): void;
  list(): Group[];
  /** Whether histograms were left out, which the aggregation has no use for. */
  leftOutHistograms(): boolean;
  /** The aggregation's values. */
  finish(context: Pick<EvalContext, 'usage' | 'notes'>, sink: RowSink): void;
}

/** The aggregation whose groups they are: a fragment that asks for partials or sketches is one. */
export type GroupsOf = TwoLevelAggregation & { readonly expr: Aggregate };

/** `order`: how histograms are added; groups that are listed or merged take `anyOrder`. Throws as `partialOf`. */
export function startGroups(of: GroupsOf, steps: number, grouping: Grouping, order: HistogramOrder): Groups {
  const partial = partialOf(of);
  const groups = new Map<string, GrowingGroup>();
  let numbers = 0;
  let leftOut = false;

  function groupOf(labels: Labels): GrowingGroup {
    const key = grouping.key(labels);
    let group = groups.get(key);
    if (group === undefined) {
      group = { labels: grouping.labels(labels), columns: zeroColumns(partial, steps), named: undefined };
      groups.set(key, group);
      count(steps * (partial.fields.length + 1));
    }
    return group;
  }

  function count(more: number): void {
    numbers += more;
    assertCells(numbers);
  }

  function addFloats(columns: PartialColumns, values: Float64Array, present: Uint8Array): void {
    const before = sketchNumbers(columns);
    partial.add(columns, values, present);
    count(sketchNumbers(columns) - before);
  }

  /** `present` has a histogram at some step. */
  function addNative({ columns }: Group, { labels, values, present }: Row, histograms: HistogramColumns): void {
    const aggregate = partial.histograms;
    if (aggregate === 'count') return partial.add(columns, values, present);
    const isFloat = present.map((bit, step) => (histograms.layoutOf[step] === FLOAT_ROW ? bit : 0));
    if (aggregate === 'ignore') {
      leftOut = true;
      return addFloats(columns, values, isFloat);
    }
    const state = (columns.histograms ??= zeroHistograms(columns.present));
    const before = numbersIn(state);
    addHistograms(state, histograms, present, labelValue(labels, METRIC_NAME), aggregate, order);
    seeFloats(state, isFloat);
    count(numbersIn(state) - before);
    partial.add(columns, values, isFloat);
    for (let step = 0; step < steps; step++) columns.present[step]! |= present[step]!;
  }

  return {
    add(row) {
      const group = groupOf(row.labels);
      const { columns } = group;
      const { values, present, histograms } = row;
      if (row.dropsName === true) markNamed(group, present);
      if (histograms !== undefined && hasHistogram(present, histograms)) return addNative(group, row, histograms);
      if (columns.histograms !== undefined) seeFloats(columns.histograms, present);
      addFloats(columns, values, present);
    },
    merge({ labels, columns, dropsName }) {
      const group = groupOf(labels);
      const into = group.columns;
      if (dropsName === true) markNamed(group, columns.present);
      if (columns.histograms !== undefined) {
        const state = (into.histograms ??= zeroHistograms(into.present));
        const before = numbersIn(state);
        mergeHistograms(state, columns.histograms, partial.histograms === 'mean' ? 'mean' : 'sum');
        count(numbersIn(state) - before);
      } else if (into.histograms !== undefined) {
        seeFloats(into.histograms, columns.present);
      }
      const before = sketchNumbers(into);
      partial.merge(into, columns);
      count(sketchNumbers(into) - before);
    },
    list: () =>
      [...groups.values()].flatMap(({ labels, columns, named }) => {
        // One whose series have nothing but what the aggregation leaves out.
        if (!anyPresent(columns.present)) return [];
        partial.settle?.(columns);
        const dropsName = named !== undefined && isNamedLast(named, columns.present);
        return [{ labels, columns, dropsName }];
      }),
    leftOutHistograms: () => leftOut,
    finish({ usage, notes }, sink) {
      const values = new Float64Array(steps);
      for (const note of notesOnParameter(of)) notes.add(note);
      for (const { labels, columns, named } of groups.values()) {
        spend(usage, steps);
        if (!anyPresent(columns.present)) continue;
        partial.finish(columns, values);
        let { present } = columns;
        let native: FinishedHistograms | undefined;
        if (columns.histograms !== undefined) {
          const aggregate = partial.histograms === 'mean' ? 'mean' : 'sum';
          native = finishHistograms(columns.histograms, present, aggregate);
          ({ present } = native);
          for (const note of notesOn(native, of.expr)) notes.add(note);
          if (!anyPresent(present)) continue;
        }
        const dropsName = named !== undefined && isNamedLast(named, present);
        sink({ labels, values, present, histograms: native?.histograms, dropsName });
      }
    },
  };
}

interface GrowingGroup extends Group {
  /** Step -> whether the name of any series is to go; undefined where none is. */
  named: Uint8Array | undefined;
}

function markNamed(group: GrowingGroup, present: Uint8Array): void {
  const named = (group.named ??= new Uint8Array(present.length));
  for (let step = 0; step < present.length; step++) named[step]! |= present[step]!;
}

/** As in Prometheus, the last step with a value decides for all. */
function isNamedLast(named: Uint8Array, present: Uint8Array): boolean {
  return named[present.lastIndexOf(1)] === 1;
}

function sketchNumbers({ sketches }: PartialColumns): number {
  return sketches === undefined ? 0 : numbersInSketches(sketches);
}

function* notesOnParameter({ answer, expr: { param } }: GroupsOf): Iterable<Note> {
  if (answer !== 'sketch' || param?.kind !== 'number') return;
  if (!(param.value >= 0 && param.value <= 1)) yield invalidQuantile(param.value, param.span);
}

function* notesOn(finished: FinishedHistograms, { expr }: Aggregate): Iterable<Note> {
  const span = innerSpan(expr);
  if (finished.isMixed) yield mixedFloatsHistogramsInAggregation(span);
  for (const metric of finished.clashing) yield mixedExponentialCustom(metric, span);
  if (finished.isReconciled) yield customBoundsReconciled('aggregation', span);
  if (finished.isCollision) yield counterResetCollision('aggregation', span);
}
