import type { Expr } from '../../src/promql/ast.ts';
import { labelKey, type Answer } from './answer.ts';
import { compareAnswers, describeOutcome, groupKey, type Difference, type Ranking, type TermSum } from './compare.ts';

/** What one case showed. */
export type Verdict =
  | { readonly kind: 'equal'; readonly empty: boolean; readonly error: boolean }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'wrong'; readonly difference: Difference };

/**
 * Judges the federation's answer by the oracle's. `askTerms` asks for the sums of absolute terms and is called only
 * where finite values differ by more than 1e-12.
 */
export async function judge(
  expr: Expr,
  want: Answer,
  got: Answer,
  askTerms: () => Promise<TermSum | undefined>,
): Promise<Verdict> {
  const reason = refusal(got);
  if (reason !== undefined) return { kind: 'refused', reason };
  const incomplete = lackOfCoverage(want, got);
  if (incomplete !== undefined) return { kind: 'wrong', difference: incomplete };
  const found = rankingOf(expr);
  const ranking = found === undefined ? {} : { ranking: found };
  let difference = compareAnswers(want, got, ranking);
  if (difference?.kind === 'value') {
    const terms = await askTerms();
    if (terms !== undefined) difference = compareAnswers(want, got, { ...ranking, terms });
  }
  if (difference !== undefined) return { kind: 'wrong', difference };
  return { kind: 'equal', empty: want.kind === 'error' || want.series.size === 0, error: want.kind === 'error' };
}

/** Looks up the values of an answer by labels (but for the metric name, which arithmetic drops) and time. */
export function termLookup(answer: Answer): TermSum | undefined {
  if (answer.kind === 'error') return undefined;
  const byLabels = new Map([...answer.series.values()].map((series) => [labelKey(series.labels, '__name__'), series]));
  return (labels, timeMs) => {
    const point = byLabels.get(labelKey(labels, '__name__'))?.points.get(timeMs);
    return typeof point === 'number' ? point : undefined;
  };
}

/** What a refusal's text begins with; an error of the query's own making does not, and is no refusal. */
const REFUSAL = /^(refused|unsupported)\b/;

/** Why the federation did not answer, or undefined when it did: refused as a whole, or by a domain's policy. */
function refusal(got: Answer): string | undefined {
  if (got.kind === 'error') return got.status === 422 && REFUSAL.test(got.message) ? reasonOf(got.message) : undefined;
  const refused = got.coverage?.domains.find(
    ({ status, reason }) => status === 'refused' && REFUSAL.test(reason ?? ''),
  );
  return refused?.reason === undefined ? undefined : `by a domain: ${reasonOf(refused.reason)}`;
}

/** The kind of a refusal: its first sentence without what belongs to one query (the expression, its place, names). */
function reasonOf(message: string): string {
  return message
    .replace(/^refused: .*? \(\d+:\d+\): /s, 'refused: ')
    .replace(/ \(\d+:\d+\)/, '')
    .replace(/\bdomain [\w-]+(\.[\w-]+)*/g, 'a domain')
    .replace(/\bmetric \w+/g, 'a metric')
    .replace(/\blabel \w+/g, 'a label')
    .replace(/(?<=.{12})[.,:] .*/s, '')
    .slice(0, 100);
}

const WHOLE: ReadonlySet<string> = new Set(['ok', 'pruned']);

/** The reason of a domain that gave all that it was asked for, from fewer streams than it should have. */
const LACKS_STREAMS = /^\d+ of \d+ streams? silent( at \d+ of \d+ steps)?$/;

function lackOfCoverage(want: Answer, got: Answer): Difference | undefined {
  if (got.kind === 'error') return undefined;
  // Random data has scrapes that failed. That streams are missing is said, and the values are what the others come to.
  if (got.coverage?.domains.every(({ status, reason }) => WHOLE.has(status) || LACKS_STREAMS.test(reason ?? ''))) {
    return undefined;
  }
  const shown = got.coverage === undefined ? 'no coverage' : JSON.stringify(got.coverage);
  return { kind: 'outcome', where: 'data.coverage', want: describeOutcome(want), got: shown };
}

/** What `topk` and `bottomk` at the root of a query leave open; undefined for any other. */
export function rankingOf(expr: Expr): Ranking | undefined {
  if (expr.kind === 'paren') return rankingOf(expr.expr);
  if (expr.kind !== 'aggregate' || (expr.op !== 'topk' && expr.op !== 'bottomk')) return undefined;
  if (expr.param?.kind !== 'number') return undefined;
  return {
    k: expr.param.value,
    largest: expr.op === 'topk',
    group: (labels) => groupKey(labels, expr.without, expr.grouping),
  };
}
