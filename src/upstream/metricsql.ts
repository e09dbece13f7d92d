import type { StepGrid } from '../model/grid.ts';
import { labelsKey, withLabel } from '../model/labels.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { AnswerRow } from '../plan/frames/columns-codec.ts';
import { isPartialOp } from '../partial/algebra.ts';
import type { Aggregate, AggregateOp, VectorSelector } from '../promql/ast.ts';
import { printAggregateHead } from '../promql/print.ts';
import { askVector } from './ask.ts';
import type { ServerClient, Until } from './client.ts';
import type { AnsweredRow } from './matrix.ts';
import { printPlain } from './print.ts';
import { fieldsOf } from './push.ts';
import type { View } from './view.ts';
import { hasDomain, withoutDomain } from './without-domain.ts';

/**
 * The answer to a fragment that VictoriaMetrics gives as Prometheus would: an aggregation of an instant selector. Undefined
 * for any other, and where its numbers are not sure to be near enough. Series with a domain label of their own are left out.
 *
 * Its own instant selectors guess how far to look back from a series' interval, so the window is written out: the last
 * sample in it, unless that is a staleness marker, is what `default_rollup` gives.
 */
export async function pushAggregation(
  client: ServerClient,
  fragment: Fragment,
  lookbackMs: number,
  view: View,
  until: Until,
): Promise<readonly AnswerRow[] | undefined> {
  const asked = aggregationOf(fragment);
  if (asked === undefined) return undefined;
  const { node, selector } = asked;
  const { op } = node;
  // Without the last one a window that is no longer than the steps are apart grows beyond what is written.
  const settings = { ...SETTINGS, max_lookback: `${lookbackMs}ms` };
  const plain = withoutDomain(node, view.domainLabel) as Aggregate;
  const answers = await Promise.all(
    ASKED[op]!.map(async (part): Promise<readonly [AggregateOp, ReadonlyMap<string, AnsweredRow>]> => {
      const offset = selector.offsetMs === 0 ? '' : ` offset ${selector.offsetMs}ms`;
      const window = `default_rollup(${printPlain(selector, view)}[${lookbackMs}ms]${offset})`;
      const query = `${printAggregateHead({ ...plain, op: part })}(${window})`;
      const { rows } = await askVector(client, query, fragment.grid, settings, until);
      return [part, new Map(rows.map((row) => [labelsKey(row.labels), row]))];
    }),
  );
  const rows = aggregated(op, new Map(answers), fragment);
  if (rows === undefined || !hasDomain(node, view.domainLabel)) return rows;
  return rows.map((row) => ({ ...row, labels: withLabel(row.labels, view.domainLabel, view.domain) }));
}

/** Answers as of now and at the steps asked for: its cache moves steps, and it repeats points that are too new for it. */
const SETTINGS = { nocache: '1', latency_offset: '1ms' };

/** What is asked for an aggregation: sums come with what it takes to know how exact they are. */
const ASKED: Readonly<Partial<Record<AggregateOp, readonly AggregateOp[]>>> = {
  sum: ['sum', 'count', 'min', 'max'],
  avg: ['sum', 'count', 'min', 'max'],
  count: ['count'],
  group: ['group'],
  min: ['min'],
  max: ['max'],
};

function aggregationOf({
  answer,
  expr,
}: Fragment): { readonly node: Aggregate; readonly selector: VectorSelector } | undefined {
  if (answer !== 'vector' && answer !== 'partial') return undefined;
  if (expr.kind !== 'aggregate' || !isPartialOp(expr.op) || ASKED[expr.op] === undefined) return undefined;
  const selector = expr.expr;
  if (selector.kind !== 'vector' || selector.at !== undefined || selector.extended !== undefined) return undefined;
  return { node: expr, selector };
}

type Parts = ReadonlyMap<AggregateOp, ReadonlyMap<string, AnsweredRow>>;

function aggregated(op: AggregateOp, parts: Parts, { answer, grid }: Fragment): readonly AnswerRow[] | undefined {
  const isSum = op === 'sum' || op === 'avg';
  const first = parts.get(isSum ? 'count' : op)!;
  const rows: AnswerRow[] = [];
  for (const [key, { labels, present }] of first) {
    const columns = new Map<AggregateOp, Float64Array>();
    for (const [part, answers] of parts) {
      const row = answers.get(key);
      if (row === undefined || Buffer.compare(row.present, present) !== 0) return undefined;
      columns.set(part, row.values);
    }
    if (isSum && !isExact(columns, present, grid)) return undefined;
    if (present.includes(1))
      rows.push({ labels, columns: { present, fields: fieldsIn(op, answer, present, columns) } });
  }
  return [...parts.values()].every(({ size }) => size === first.size) ? rows : undefined;
}

function fieldsIn(
  op: AggregateOp,
  answer: Fragment['answer'],
  present: Uint8Array,
  columns: ReadonlyMap<AggregateOp, Float64Array>,
): Float64Array[] {
  if (answer === 'partial') return fieldsOf(op, present, columns);
  if (op !== 'avg') return [columns.get(op)!];
  const counts = columns.get('count')!;
  return [columns.get('sum')!.map((sum, step) => sum / counts[step]!)];
}

/**
 * Its sums keep no compensation. One after the other, n floats have an error of at most n - 1 roundings of the sum of their
 * magnitudes: of 32 terms that is what adding differently may differ by anyway (16 epsilon of it), and where all have one
 * sign, so that nothing cancels, 4,000 stay within a part in 10^12.
 */
function isExact(columns: ReadonlyMap<AggregateOp, Float64Array>, present: Uint8Array, { steps }: StepGrid): boolean {
  const [sums, counts, least, most] = (['sum', 'count', 'min', 'max'] as const).map((part) => columns.get(part)!);
  for (let step = 0; step < steps; step++) {
    if (present[step] === 0) continue;
    // Past all floats a mean is none of a sum, and beside infinities the order matters.
    if (!Number.isFinite(sums![step]!)) return false;
    const terms = counts![step]!;
    const hasOneSign = least![step]! >= 0 || most![step]! <= 0;
    if (terms > (hasOneSign ? SAME_SIGN_TERMS : ANY_TERMS)) return false;
  }
  return true;
}

const ANY_TERMS = 32;
const SAME_SIGN_TERMS = 4_000;
