import type { Difference } from '../promqltest/compare.ts';
import { absenceCalls, callsInfo, mayReadDomain, withMatcher, written, type Asked } from './rewrite.ts';
import { askFederation, askUnion, describeOutcome, type Outcome, type Question } from './outcome.ts';
import {
  answerDifference,
  hangsOnOrder,
  noteSetDifference,
  termLookup,
  withoutDetail,
  type AnswerDifference,
} from './same.ts';
import type { SplitData } from './split.ts';
import { termSum } from './term-sum.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import type { Expr } from '../promql/ast.ts';

/** What one question showed. */
export type Verdict =
  | { readonly kind: 'exact'; readonly outcome: Outcome }
  /** The values of the domains that answered, and said to be no more than that. */
  | { readonly kind: 'partial' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'wrong'; readonly difference: Difference };

/** Asks the union and the federation, all of whose domains answer. */
export async function judge(question: Question, data: SplitData): Promise<Verdict> {
  const got = await askFederation(question, data.federation);
  const refusal = refusalOf(got);
  if (refusal !== undefined) return { kind: 'refused', reason: refusal };
  if (got.kind === 'answer' && got.coverage?.complete !== true) {
    return wrong('an incomplete answer', 'a complete one', JSON.stringify(got.coverage));
  }
  return compare(question, got, data);
}

/** Asks the union and the federation while some domains, by index, are silent. */
export async function judgeSilent(
  question: Question,
  data: SplitData,
  silent: ReadonlySet<number>,
  features: PromqlFeatures,
): Promise<Verdict> {
  const { federation } = data;
  const { domainLabel } = federation;
  const touched = [...silent]
    .map((index) => federation.domains[index]!)
    .filter((domain) => mayReadDomain(question.expr, domainLabel, domain));
  federation.silence(silent);
  let got: Outcome;
  try {
    got = await askFederation(question, federation);
  } finally {
    federation.silence(new Set());
  }
  const refusal = refusalOf(got);
  if (refusal !== undefined) return { kind: 'refused', reason: refusal };
  if (got.kind === 'answer' && got.coverage?.complete === true) {
    // No silent domain could hold anything of it, or info() has found that out.
    if (touched.length > 0 && !callsInfo(question.expr)) {
      return wrong('an answer that is said to be complete', `${touched.join(', ')} missing`, 'complete');
    }
    return compare(question, got, data);
  }
  if (touched.length === 0) {
    if (got.kind === 'answer') return wrong('an incomplete answer', 'a complete one', JSON.stringify(got.coverage));
    return compare(question, got, data);
  }
  const gap = { name: domainLabel, op: '!~', value: touched.join('|') } as const;
  const live = (expr: Expr): Asked => written(withMatcher(expr, gap), features);
  if (got.kind === 'error') {
    if (UNKNOWN_CODES.has(got.code)) return { kind: 'partial' };
    return compare({ ...question, ...live(question.expr) }, got, data);
  }
  const missing = got.coverage!.domains.filter(({ status }) => status !== 'ok' && status !== 'pruned');
  const named = missing.map(({ domain }) => domain).sort();
  if (named.join() !== touched.toSorted().join() || missing.some(({ status }) => status !== 'unreachable')) {
    return wrong('a coverage that names others', touched.join(', '), JSON.stringify(missing));
  }
  for (const call of absenceCalls(question.expr)) {
    if (!touched.some((domain) => mayReadDomain(call, domainLabel, domain))) continue;
    const alive = await askUnion({ ...question, ...live(call) }, data.union);
    if (alive.kind === 'answer' && 'series' in alive.result && alive.result.series.length > 0) {
      return wrong('absence is told that a silent domain may end', 'an error', 'an answer');
    }
  }
  if (callsInfo(question.expr)) return { kind: 'partial' };
  const verdict = await compare(
    { ...question, ...live(question.expr) },
    { ...got, warnings: [], infos: [] },
    data,
    false,
  );
  return verdict.kind === 'exact' ? { kind: 'partial' } : verdict;
}

/** Errors that say: this cannot be known now. */
const UNKNOWN_CODES: ReadonlySet<string> = new Set(['incomplete', 'unavailable']);

const REFUSAL_CODES: ReadonlySet<string> = new Set(['refused', 'unsupported']);

function refusalOf(got: Outcome): string | undefined {
  if (got.kind === 'error') return REFUSAL_CODES.has(got.code) ? got.reason : undefined;
  return got.coverage?.domains.some(({ status }) => status === 'refused') === true ? 'by some domains' : undefined;
}

/** Compares what the federation gave with what the union gives to the same question. */
async function compare(question: Question, got: Outcome, data: SplitData, withNotes = true): Promise<Verdict> {
  const want = await askUnion(question, data.union);
  if (want.kind === 'error' || got.kind === 'error') {
    if (want.kind === got.kind && got.kind === 'error' && got.code !== 'internal')
      return { kind: 'exact', outcome: got };
    return wrong('another outcome', describeOutcome(want), describeOutcome(got));
  }
  const ordered = question.kind === 'instant' && isSorted(question.expr);
  let difference: AnswerDifference | undefined = answerDifference(want.result, got.result, ordered);
  if (difference?.isClose === true) {
    const terms = await askUnion({ ...question, ...termsOf(question) }, data.union);
    if (terms.kind === 'answer')
      difference = answerDifference(want.result, got.result, ordered, termLookup(terms.result));
  }
  if (withNotes) {
    const shown = data.federation.egressClass === 'open' ? (text: string) => text : withoutDetail;
    const isSure = (info: string): boolean => !hangsOnOrder(info, want.warnings);
    const infos = (outcome: { readonly infos: readonly string[] }): readonly string[] =>
      outcome.infos.filter(isSure).map(shown);
    difference ??= noteSetDifference('warning', want.warnings.map(shown), got.warnings.map(shown));
    difference ??= noteSetDifference('info', infos(want), infos(got));
  }
  return difference === undefined ? { kind: 'exact', outcome: got } : { kind: 'wrong', difference };
}

function termsOf({ expr, text }: Question): Asked {
  return { expr: termSum(expr), text };
}

/** Whether PromQL gives the series of an instant query an order. */
function isSorted(expr: Expr): boolean {
  if (expr.kind === 'paren') return isSorted(expr.expr);
  return expr.kind === 'call' && expr.func.startsWith('sort');
}

function wrong(problem: string, expected: string, got: string): Verdict {
  return { kind: 'wrong', difference: { problem, expected, got } };
}
