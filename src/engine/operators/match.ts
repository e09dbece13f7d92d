import { ComityError } from '../../base/errors.ts';
import { histogramBuilder, type HistogramBuilder } from '../../model/growing-histograms.ts';
import { histogramAt, isHistogramAt } from '../../model/histogram.ts';
import {
  compareLabels,
  dropLabels,
  dropMetadataLabels,
  keepLabels,
  labelsKey,
  labelValue,
  withLabel,
  type Labels,
} from '../../model/labels.ts';
import { COMPARISON_OPS, TRIM_OPS, type Binary, type VectorMatching } from '../../promql/ast.ts';
import type { Evaluation } from '../evaluation.ts';
import { duplicateSeries, multipleMatches } from './match-errors.ts';
import type { Note } from '../notes.ts';
import { arithmetic, compares, histogramOutcome, type Operand } from './operators.ts';
import { anyPresent, sameLabelSet, type Row, type RowSink } from '../rows.ts';
import { signatureOf, type Signature } from './signature.ts';
import { spend, type Usage } from '../usage.ts';

/**
 * Arithmetic, comparisons and trims between two vectors. Series pair up by the signature of their labels, worked out once a
 * series; that the "one" side is unique is a question of each step, as in Prometheus.
 */
export function matchRows(node: Binary, evaluation: Evaluation, sink: RowSink): void {
  const left = evaluation.collect(node.left);
  const right = evaluation.collect(node.right);
  const { grid, usage } = evaluation;
  const swapped = node.matching!.card === 'one-to-many';
  const [many, one] = swapped ? [right, left] : [left, right];
  const signature = signatureOf(node.matching!);
  const groups = groupsOf(many, one, signature, usage);
  const results = startResults(node, swapped, evaluation);
  findDuplicates(groups, node.matching!, signature, presentAnywhere(many, grid.steps, usage), evaluation, results.fail);
  for (const group of groups.values()) matchGroup(node, group, results, evaluation);
  results.drain(sink);
}

/** Rows of one signature. */
interface MatchGroup {
  readonly manies: RankedRow[];
  readonly ones: RankedRow[];
}

/** `rank`: when Prometheus comes to the row: to those of the "many" side first. */
interface RankedRow {
  readonly row: Row;
  readonly rank: number;
}

/** What it takes to make a label set or a key of one, in cells. */
const LABELS_WORK = 128;

function groupsOf(
  many: readonly Row[],
  one: readonly Row[],
  signature: Signature,
  usage: Usage,
): Map<string, MatchGroup> {
  const groups = new Map<string, MatchGroup>();
  const groupOf = (row: Row): MatchGroup => {
    spend(usage, LABELS_WORK);
    const key = signature.key(row.labels);
    let group = groups.get(key);
    if (group === undefined) groups.set(key, (group = { manies: [], ones: [] }));
    return group;
  };
  many.forEach((row, rank) => groupOf(row).manies.push({ row, rank }));
  one.forEach((row, rank) => groupOf(row).ones.push({ row, rank: many.length + rank }));
  return groups;
}

function matchGroup(
  node: Binary,
  { manies, ones }: MatchGroup,
  results: Results,
  { grid: { steps }, usage }: Evaluation,
): void {
  const { fill } = node.matching!;
  const taken = results.startGroup();
  for (const { row, rank } of manies) {
    for (const { row: partner } of ones) {
      spend(usage, LABELS_WORK + steps);
      results.pair(row, partner, bothPresent(row.present, partner.present), taken, rank);
    }
    if (fill?.right === undefined) continue;
    spend(usage, LABELS_WORK + steps);
    const alone = row.present.slice();
    for (const { row: partner } of ones) exclude(alone, partner.present);
    if (anyPresent(alone)) results.pair(row, filled(node.matching!, row, fill.right), alone, taken, rank);
  }
  if (fill?.left === undefined) return;
  for (const { row: partner, rank } of ones) {
    spend(usage, LABELS_WORK + steps);
    const alone = partner.present.slice();
    exclude(alone, taken.any);
    if (anyPresent(alone)) results.pair(filled(node.matching!, partner, fill.left), partner, alone, taken, rank);
  }
}

function bothPresent(one: Uint8Array, other: Uint8Array): Uint8Array {
  const both = one.slice();
  for (let step = 0; step < both.length; step++) both[step]! &= other[step]!;
  return both;
}

function exclude(mask: Uint8Array, other: Uint8Array): void {
  for (let step = 0; step < mask.length; step++) if (other[step] === 1) mask[step] = 0;
}

/** What stands for the missing side of a row: the value everywhere, with the labels that the two would share. */
function filled(matching: VectorMatching, row: Row, value: number): Row {
  return {
    labels: signatureOf(matching).labels(row.labels),
    values: new Float64Array(row.values.length).fill(value),
    present: row.present,
  };
}

/** Which steps of a match group have a result, and which of its label sets have one where there may be several. */
interface Taken {
  readonly any: Uint8Array;
  readonly byLabels: Map<string, Uint8Array>;
}

/** Takes an error of one step. Prometheus goes step by step, so that of the earliest step is the one to tell. */
type Fail = (step: number, makeError: () => ComityError) => void;

interface Results {
  readonly fail: Fail;
  startGroup(): Taken;
  /** Works out a pair at the steps of the mask. */
  pair(many: Row, one: Row, mask: Uint8Array, taken: Taken, rank: number): void;
  /** Throws `execution` where a step failed. */
  drain(sink: RowSink): void;
}

interface Result {
  readonly row: Row;
  histograms: HistogramBuilder | undefined;
}

function startResults(
  node: Binary,
  swapped: boolean,
  { grid: { steps }, features, notes, usage }: Evaluation,
): Results {
  const matching = node.matching!;
  const isComparison = COMPARISON_OPS.has(node.op);
  const isTrim = TRIM_OPS.has(node.op);
  const results = new Map<string, Result>();
  /** Of all that there is to say of one step, Prometheus says the last. */
  const stepNotes = new Map<number, { readonly note: Note; readonly rank: number }>();
  let failed: { readonly step: number; makeError(): ComityError } | undefined;

  function fail(step: number, makeError: () => ComityError): void {
    if (failed === undefined || step < failed.step) failed = { step, makeError };
  }

  function resultOf(labels: Labels, key: string): Result {
    let result = results.get(key);
    if (result === undefined) {
      const dropsName = features.delayedNameRemoval && node.returnBool;
      const row = { labels, values: new Float64Array(steps), present: new Uint8Array(steps), dropsName };
      results.set(key, (result = { row, histograms: undefined }));
    }
    return result;
  }

  /** Whether the pair holds, from its operands in the order of the text; writes the result. */
  function work(left: Operand, right: Operand, result: Result, step: number, rank: number): boolean | undefined {
    const { values } = result.row;
    if (typeof left === 'number' && typeof right === 'number' && !isTrim) {
      const holds = !isComparison || compares(node.op, left, right);
      values[step] = node.returnBool ? Number(holds) : arithmetic(node.op, left, right);
      return holds || node.returnBool;
    }
    const { value, holds, note } = histogramOutcome(node, left, right);
    if (note !== undefined && rank >= (stepNotes.get(step)?.rank ?? 0)) stepNotes.set(step, { note, rank });
    if (value === undefined) return undefined;
    if (node.returnBool) values[step] = Number(holds);
    else if (holds) (result.histograms ??= histogramBuilder(steps)).set(step, value as Exclude<Operand, number>);
    return holds || node.returnBool;
  }

  return {
    fail,
    startGroup: () => ({ any: new Uint8Array(steps), byLabels: new Map() }),
    pair(many, one, mask, taken, rank) {
      if (!anyPresent(mask)) return;
      const labels = resultLabels(node, many.labels, one.labels, features.delayedNameRemoval);
      const key = labelsKey(labels);
      const result = resultOf(labels, key);
      const [first, second] = swapped ? [one, many] : [many, one];
      const unique = matching.card === 'one-to-one' ? taken.any : maskOf(taken.byLabels, key, steps);
      for (let step = 0; step < steps; step++) {
        if (mask[step] === 0) continue;
        const before = result.row.values[step]!;
        const holds = work(operandAt(first, step), operandAt(second, step), result, step, rank);
        if (holds === undefined) continue;
        if (unique[step] === 1) {
          fail(step, () => multipleMatches(matching));
          continue;
        }
        // A pair counts within its match group even where its comparison does not hold.
        unique[step] = 1;
        taken.any[step] = 1;
        if (!holds) {
          result.row.values[step] = before;
          continue;
        }
        // Two match groups can come to one label set, as `on (__name__)` does after an operator that drops it.
        if (result.row.present[step] === 1) fail(step, sameLabelSet);
        result.row.present[step] = 1;
      }
    },
    drain(sink) {
      if (failed !== undefined) throw failed.makeError();
      for (const step of [...stepNotes.keys()].sort((a, b) => a - b)) notes.add(stepNotes.get(step)!.note);
      for (const { row, histograms } of results.values()) {
        spend(usage, steps);
        if (anyPresent(row.present)) sink({ ...row, histograms: histograms?.build(steps) });
      }
    },
  };
}

function operandAt({ values, histograms }: Row, step: number): Operand {
  return isHistogramAt(histograms, step) ? histogramAt(histograms, step) : values[step]!;
}

function maskOf(masks: Map<string, Uint8Array>, key: string, steps: number): Uint8Array {
  let mask = masks.get(key);
  if (mask === undefined) masks.set(key, (mask = new Uint8Array(steps)));
  return mask;
}

function presentAnywhere(rows: readonly Row[], steps: number, usage: Usage): Uint8Array {
  const mask = new Uint8Array(steps);
  for (const row of rows) {
    spend(usage, steps);
    for (let step = 0; step < steps; step++) mask[step]! |= row.present[step]!;
  }
  return mask;
}

/** Two series of one match group on the "one" side are an error, but only at steps where there is something to match. */
function findDuplicates(
  groups: ReadonlyMap<string, MatchGroup>,
  matching: VectorMatching,
  signature: Signature,
  manyPresent: Uint8Array,
  { scope, usage }: Evaluation,
  fail: Fail,
): void {
  for (const { ones } of groups.values()) {
    if (ones.length < 2) continue;
    for (let step = 0; step < manyPresent.length; step++) {
      spend(usage, ones.length);
      const matters = manyPresent[step] === 1 || matching.fill !== undefined;
      if (!matters && scope === 'whole') continue;
      const present = ones.filter(({ row }) => row.present[step] === 1);
      if (present.length < 2) continue;
      if (!matters) throw new ComityError('undecided', 'one side is empty here, but may not be elsewhere');
      const [first, second] = present.map(({ row }) => row.labels).sort(compareLabels) as [Labels, Labels];
      fail(step, () => duplicateSeries(first, second, signature.labels(first), matching));
      break;
    }
  }
}

function resultLabels(node: Binary, many: Labels, one: Labels, delaysNames: boolean): Labels {
  const matching = node.matching!;
  const isArithmetic = !COMPARISON_OPS.has(node.op) && !TRIM_OPS.has(node.op);
  let labels = isArithmetic || (node.returnBool && !delaysNames) ? dropMetadataLabels(many) : many;
  if (matching.card === 'one-to-one') {
    const names = new Set(matching.labels);
    labels = matching.on ? keepLabels(labels, names) : dropLabels(labels, names);
  }
  for (const name of matching.include) labels = withLabel(labels, name, labelValue(one, name));
  return labels;
}
