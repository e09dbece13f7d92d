import { assertCells } from '../engine/rows.ts';
import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { startNotes, type Note } from '../engine/notes.ts';
import type { StepGrid } from '../model/grid.ts';
import { labelsKey, withLabel, type Labels } from '../model/labels.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { AnswerRow } from '../plan/frames/columns-codec.ts';
import type { AggregateOp, Expr } from '../promql/ast.ts';
import { annotated } from './annotations.ts';
import { ApiError } from './api.ts';
import { askVector, type Asked } from './ask.ts';
import type { ServerClient, Until } from './client.ts';
import type { AnsweredRow } from './matrix.ts';
import { positionsIn } from './positions.ts';
import { printForServer } from './print.ts';
import { meanQuery, serverQueries } from './queries.ts';
import { matchesSurely } from './unique.ts';
import type { View } from './view.ts';

/** The rows of a fragment as the server has worked them out. */
export interface PushedAnswer {
  readonly rows: readonly AnswerRow[];
  readonly notes: readonly Note[];
}

/**
 * The answer to a fragment that a server gives which evaluates as Prometheus 3 does; undefined where only an evaluation of
 * our own gives it whole: its samples are native histograms, the errors of its matching hang on other domains, the server
 * does not know all of its language, or its answers do not fit together. Series with a domain label of their own are left
 * out. Throws what the server's errors stand for.
 */
export async function pushFragment(
  client: ServerClient,
  fragment: Fragment,
  lookbackMs: number,
  view: View,
  until: Until,
): Promise<PushedAnswer | undefined> {
  const queries = serverQueries(fragment, view);
  if (queries === undefined || !matchesSurely(fragment.expr)) return undefined;
  const { grid } = fragment;
  const settings = { lookback_delta: `${lookbackMs}ms` };
  const notes = startNotes();

  const ask = async (expr: Expr): Promise<Asked | undefined> => {
    const text = printForServer(expr, view);
    const asked = await askVector(client, text, grid, settings, until);
    if (asked.hasHistograms) return undefined;
    const spanAt = positionsIn(text, expr);
    for (const annotation of asked.annotations) {
      const found = annotated(annotation, spanAt);
      if (found === 'decisive') return undefined;
      if (found !== 'dropped') notes.add(found.note);
    }
    return asked;
  };

  try {
    const ops = [...queries.exprs.keys()];
    const answers = await Promise.all(ops.map((op) => ask(queries.exprs.get(op)!)));
    const byOp = new Map<AggregateOp | 'vector', Map<string, AnsweredRow>>();
    for (const [i, op] of ops.entries()) {
      const answer = answers[i];
      if (answer === undefined) return undefined;
      byOp.set(op, new Map(answer.rows.map((row) => [labelsKey(row.labels), row])));
    }
    const sums = fragment.expr.kind === 'aggregate' && fragment.expr.op === 'avg' ? byOp.get('sum') : undefined;
    if (fragment.answer === 'partial' && sums !== undefined && [...sums.values()].some(isInfinite)) {
      const means = await ask(meanQuery(queries));
      if (means === undefined) return undefined;
      byOp.set('avg', new Map(means.rows.map((row) => [labelsKey(row.labels), row])));
    }
    const rows = assembled(fragment, byOp);
    if (rows === undefined) return undefined;
    assertRows(rows.length, grid);
    const { domain, domainLabel } = view;
    const labelled = (labels: Labels): Labels => (queries.addsDomain ? withLabel(labels, domainLabel, domain) : labels);
    return { rows: rows.map((row) => ({ ...row, labels: labelled(row.labels) })), notes: notes.list() };
  } catch (error) {
    // A part of the language that the server does not know, or has not enabled.
    if (error instanceof ApiError && error.code === 'unsupported') return undefined;
    throw error;
  }
}

type Answers = ReadonlyMap<AggregateOp | 'vector', ReadonlyMap<string, AnsweredRow>>;

function isInfinite({ present, values }: AnsweredRow): boolean {
  return values.some((value, step) => present[step] === 1 && Math.abs(value) === Infinity);
}

/** The rows with the fields of the fragment's partial; undefined where the answers do not have the same groups at all steps. */
function assembled(fragment: Fragment, byOp: Answers): readonly AnswerRow[] | undefined {
  const [first] = byOp.values();
  const rows: AnswerRow[] = [];
  for (const [key, { labels, present }] of first!) {
    const columns = new Map<AggregateOp | 'vector', Float64Array>();
    for (const [op, answer] of byOp) {
      const row = answer.get(key);
      if (row === undefined || answer.size !== first!.size || !isSame(row.present, present)) return undefined;
      columns.set(op, row.values);
    }
    const op = fragment.answer === 'vector' ? 'vector' : (fragment.expr as { readonly op: AggregateOp }).op;
    if (present.includes(1)) rows.push({ labels, columns: { present, fields: fieldsOf(op, present, columns) } });
  }
  return [...byOp.values()].every(({ size }) => size === first!.size) ? rows : undefined;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** As the partial of the aggregation has them (src/partial). */
export function fieldsOf(
  op: AggregateOp | 'vector',
  present: Uint8Array,
  columns: ReadonlyMap<AggregateOp | 'vector', Float64Array>,
): Float64Array[] {
  const column = (name: AggregateOp | 'vector'): Float64Array => columns.get(name)!;
  const zeros = (): Float64Array => new Float64Array(present.length);
  switch (op) {
    case 'group':
      return [];
    case 'sum':
      return [column('sum'), zeros()];
    case 'avg': {
      const means = columns.get('avg');
      const running = zeros();
      if (means === undefined) return [column('sum'), zeros(), column('count'), running];
      const sums = column('sum').map((sum, step) => {
        if (present[step] === 0 || Math.abs(sum) !== Infinity) return sum;
        running[step] = 1;
        return means[step]!;
      });
      return [sums, zeros(), column('count'), running];
    }
    case 'stddev':
    case 'stdvar': {
      const counts = column('count');
      return [counts, column('avg'), column('stdvar').map((variance, step) => variance * counts[step]!)];
    }
    default:
      return [column(op)];
  }
}

function assertRows(rows: number, { steps }: StepGrid): void {
  if (rows > LIMITS.rowsPerAnswer) throw new ComityError('limit', `an answer of over ${LIMITS.rowsPerAnswer} rows`);
  assertCells(rows * steps);
}
