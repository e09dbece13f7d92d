import { ComityError } from '../base/errors.ts';
import {
  compareLabels,
  dropLabels,
  dropMetricName,
  keepLabels,
  labelsKey,
  labelsRecord,
  labelValue,
  METRIC_NAME,
  withLabel,
  type Labels,
} from '../model/labels.ts';
import { COMPARISON_OPS, type Binary, type VectorMatching } from '../promql/ast.ts';
import type { EvalContext } from './context.ts';
import { spend, type Usage } from './usage.ts';
import { arithmetic, compares } from './operators.ts';
import { anyPresent, sameLabelSet, type Row, type RowSink } from './rows.ts';

/**
 * Arithmetic and comparisons between two vectors of floats. Series pair up by the signature of their labels, worked out once a
 * series; that the "one" side is unique is a question of each step, as in Prometheus.
 */
export function matchRows(
  node: Binary,
  left: readonly Row[],
  right: readonly Row[],
  { grid: { steps }, scope, usage }: EvalContext,
  sink: RowSink,
): void {
  const matching = node.matching!;
  const swapped = matching.card === 'one-to-many';
  const [many, one] = swapped ? [right, left] : [left, right];
  const signature = signatureOf(matching);
  const ones = bySignature(one, signature, usage);
  const manyPresent = presentAnywhere(many, steps, usage);
  for (const candidates of ones.values()) assertUnique(candidates, matching, swapped, manyPresent, scope, usage);

  const results = new Map<string, Row>();
  const matched = new Map<string, Uint8Array>();
  const isComparison = COMPARISON_OPS.has(node.op);

  for (const row of many) {
    spend(usage, LABELS_WORK);
    const key = labelsKey(signature(row.labels));
    for (const partner of ones.get(key) ?? []) {
      spend(usage, LABELS_WORK + steps);
      const labels = resultLabels(node, row.labels, partner.labels);
      const result = resultRow(results, labels, steps);
      // A pair counts within its match group even where its comparison does not hold.
      const taken = takenBy(matched, matching.card === 'one-to-one' ? key : key + labelsKey(labels), steps);
      for (let step = 0; step < steps; step++) {
        if (row.present[step] === 0 || partner.present[step] === 0) continue;
        if (taken[step] === 1) throw multipleMatches(matching);
        taken[step] = 1;
        const l = swapped ? partner.values[step]! : row.values[step]!;
        const r = swapped ? row.values[step]! : partner.values[step]!;
        const holds = !isComparison || compares(node.op, l, r);
        if (!holds && !node.returnBool) continue;
        // Two match groups can come to one label set, as `on (__name__)` does after an operator that drops it.
        if (result.present[step] === 1) throw sameLabelSet();
        result.values[step] = node.returnBool ? (holds ? 1 : 0) : arithmetic(node.op, l, r);
        result.present[step] = 1;
      }
    }
  }
  for (const row of results.values()) {
    spend(usage, steps);
    if (anyPresent(row.present)) sink(row.labels, row.values, row.present, undefined);
  }
}

/** What it takes to make a label set or a key of one, in cells. */
const LABELS_WORK = 128;

/** `and`, `or` and `unless`, step by step; presence is all they look at, so histograms pass as they are. */
export function setRows(
  node: Binary,
  left: readonly Row[],
  right: readonly Row[],
  { grid: { steps }, usage }: EvalContext,
  sink: RowSink,
): void {
  const signature = signatureOf(node.matching!);
  const [there, others] = node.op === 'or' ? [left, right] : [right, left];
  const presence = new Map<string, Uint8Array>();
  for (const row of there) {
    spend(usage, LABELS_WORK + steps);
    const mask = takenBy(presence, labelsKey(signature(row.labels)), steps);
    for (let step = 0; step < steps; step++) mask[step]! |= row.present[step]!;
  }
  if (node.op === 'or') {
    for (const row of left) {
      spend(usage, steps);
      sink(row.labels, row.values, row.present, row.histograms);
    }
  }
  const wanted = node.op === 'and' ? 1 : 0;
  for (const row of others) {
    spend(usage, LABELS_WORK + steps);
    const mask = presence.get(labelsKey(signature(row.labels)));
    const present = row.present.slice();
    for (let step = 0; step < steps; step++) if ((mask?.[step] ?? 0) !== wanted) present[step] = 0;
    if (anyPresent(present)) sink(row.labels, row.values, present, row.histograms);
  }
}

function signatureOf(matching: VectorMatching): (labels: Labels) => Labels {
  const names = new Set(matching.labels);
  if (matching.on) return (labels) => keepLabels(labels, names);
  names.add(METRIC_NAME);
  return (labels) => dropLabels(labels, names);
}

function bySignature(rows: readonly Row[], signature: (labels: Labels) => Labels, usage: Usage): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    spend(usage, LABELS_WORK);
    const key = labelsKey(signature(row.labels));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return groups;
}

function presentAnywhere(rows: readonly Row[], steps: number, usage: Usage): Uint8Array {
  const mask = new Uint8Array(steps);
  for (const row of rows) {
    spend(usage, steps);
    for (let step = 0; step < steps; step++) mask[step]! |= row.present[step]!;
  }
  return mask;
}

/** Two series of one match group on the "one" side are an error, but only at steps where the other side has any. */
function assertUnique(
  rows: readonly Row[],
  matching: VectorMatching,
  swapped: boolean,
  manyPresent: Uint8Array,
  scope: EvalContext['scope'],
  usage: Usage,
): void {
  if (rows.length < 2) return;
  for (let step = 0; step < manyPresent.length; step++) {
    spend(usage, rows.length);
    if (manyPresent[step] === 0 && scope === 'whole') continue;
    const present = rows.filter((row) => row.present[step] === 1);
    if (present.length < 2) continue;
    if (manyPresent[step] === 0) throw new ComityError('undecided', 'one side is empty here, but may not be elsewhere');
    const [first, second] = present.map(({ labels }) => labels).sort(compareLabels) as [Labels, Labels];
    const [a, b] = [printLabels(first), printLabels(second)].sort();
    const group = printLabels(signatureOf(matching)(first));
    throw new ComityError(
      'execution',
      `found duplicate series for the match group ${group} on the ${swapped ? 'left' : 'right'} hand-side of the ` +
        `operation: [${a}, ${b}];many-to-many matching not allowed: matching labels must be unique on one side`,
    );
  }
}

function resultRow(results: Map<string, Row>, labels: Labels, steps: number): Row {
  const key = labelsKey(labels);
  let row = results.get(key);
  if (row === undefined) {
    row = { labels, values: new Float64Array(steps), present: new Uint8Array(steps) };
    results.set(key, row);
  }
  return row;
}

function takenBy(masks: Map<string, Uint8Array>, key: string, steps: number): Uint8Array {
  let mask = masks.get(key);
  if (mask === undefined) {
    mask = new Uint8Array(steps);
    masks.set(key, mask);
  }
  return mask;
}

function resultLabels(node: Binary, many: Labels, one: Labels): Labels {
  const matching = node.matching!;
  let labels = node.returnBool || !COMPARISON_OPS.has(node.op) ? dropMetricName(many) : many;
  if (matching.card === 'one-to-one') {
    const names = new Set(matching.labels);
    labels = matching.on ? keepLabels(labels, names) : dropLabels(labels, names);
  }
  for (const name of matching.include) labels = withLabel(labels, name, labelValue(one, name));
  return labels;
}

function multipleMatches(matching: VectorMatching): ComityError {
  return new ComityError(
    'execution',
    matching.card === 'one-to-one'
      ? 'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)'
      : 'multiple matches for labels: grouping labels must ensure unique matches',
  );
}

function printLabels(labels: Labels): string {
  const record = labelsRecord(labels);
  const { [METRIC_NAME]: name = '', ...rest } = record;
  const pairs = Object.entries(rest).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return `${name}{${pairs.join(', ')}}`;
}
