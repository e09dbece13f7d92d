import { parseDocument } from 'yaml';
import { request } from 'undici';
import { readText } from '../base/config.ts';
import { ComityError, messageOf } from '../base/errors.ts';
import { checkCountable } from '../border/min-series.ts';
import { hasQuantile, refusalWords } from '../hub/refusal.ts';
import { instantGrid, rangeGrid, type QueryGrid } from '../model/grid.ts';
import { faultOf, type Fault, type Judge } from '../plan/nearest/fault.ts';
import { nodeAt } from '../plan/nearest/expr-path.ts';
import { nearestQuery, type NearestQuery } from '../plan/nearest/nearest.ts';
import { PlanRefusal } from '../plan/refusal.ts';
import { checkFragment, checkMatchers } from '../policy/check.ts';
import { parsePolicy, type Policy } from '../policy/document.ts';
import type { Expr } from '../promql/ast.ts';
import { typeOf } from '../promql/check.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import { PromqlError, positionOf } from '../promql/parse-error.ts';
import { parseExpr } from '../promql/parse.ts';
import { printExpr } from '../promql/print.ts';
import type { FoundQuestion } from './check-found.ts';
import { askExplanation } from './explain-request.ts';
import { queryParams } from './hub-request.ts';

/** What becomes of a question. `unknown`: a domain that nobody reached might refuse it. */
export type Outcome = 'answered' | 'approximate' | 'refused' | 'invalid' | 'unknown';

/** A question judged. `why` and `works` are of those that are not answered; `works` where something near is known to. */
export interface Judgement {
  readonly outcome: Outcome;
  readonly why?: string;
  readonly works?: NearestQuery;
}

export interface JudgeOptions {
  readonly features: PromqlFeatures;
  readonly domainLabel: string;
  readonly approx?: number | undefined;
}

export type JudgeQuestion = (question: FoundQuestion) => Promise<Judgement>;

/** Decides by the planner and the policies of some domains; without any, as if every metric were open everywhere. */
export function policyJudge(policies: readonly Policy[], options: JudgeOptions): JudgeQuestion {
  const { features, domainLabel, approx } = options;
  const byDomain = new Map(policies.map((policy) => [policy.domain, policy]));
  const check: Judge['check'] = (fragment, domain) => {
    const policy = byDomain.get(domain);
    // Which labels the series carry, only their domain knows.
    return policy && (checkFragment(fragment, policy, () => []) ?? checkCountable(fragment.expr, policy));
  };
  return async (question) => {
    const expr = parsed(question, features);
    if ('why' in expr) return { outcome: 'invalid', why: expr.why };
    if (question.kind === 'labels') return labelsJudged(question, expr.expr, policies);
    const judge: Judge = { grid: gridOf(question), domainLabel, domains: [...byDomain.keys()], check };
    const { asked } = question;
    const fault = faultOf(expr.expr, asked, approx, judge);
    if (fault === undefined) return { outcome: isSketched(expr.expr, approx) ? 'approximate' : 'answered' };
    const works = nearestQuery({ text: asked, approx }, fault, judge, features);
    return { outcome: 'refused', why: wordsOf(fault, expr.expr, question), ...(works === undefined ? {} : { works }) };
  };
}

/** Reads policies, whatever domains they are for. Throws `bad_config` naming the field at fault. */
export function readPolicies(paths: readonly string[], domainLabel: string): readonly Policy[] {
  return paths.map((path) => {
    const text = readText(path);
    const domain: unknown = parseDocument(text).get('domain');
    return parsePolicy(text, path, typeof domain === 'string' ? domain : '', domainLabel);
  });
}

/** Decides by asking a hub, whose domains decide by their policies. */
export function hubJudge(hub: string, options: JudgeOptions): JudgeQuestion {
  const { features, approx } = options;
  return async (question) => {
    const expr = parsed(question, features);
    if ('why' in expr) return { outcome: 'invalid', why: expr.why };
    if (question.kind === 'labels') return labelsAsked(question, hub);
    const { startMs, endMs, stepMs, isInstant } = gridOf(question);
    const seconds = (ms: number): string => String(ms / 1000);
    const times = isInstant
      ? { time: seconds(endMs) }
      : { start: seconds(startMs), end: seconds(endMs), step: seconds(stepMs) };
    const allowance = approx === undefined ? {} : { approx: String(approx) };
    const { refused, nearest, fragments } = await askExplanation(
      hub,
      queryParams(question.asked, { ...times, ...allowance }),
    );
    const parts = fragments.flatMap(({ domains }) => domains);
    const refusal = parts.find((part) => part.verdict === 'refused');
    const why = refused?.message ?? refusal?.reason;
    const works = nearest === undefined ? {} : { works: { ...nearest, text: nearest.query } };
    if (why !== undefined) return { outcome: 'refused', why, ...works };
    const silent = parts.find((part) => part.verdict === 'unknown');
    if (silent !== undefined) return { outcome: 'unknown', why: `domain ${silent.domain}: ${silent.reason}` };
    return { outcome: fragments.some(({ answer }) => answer === 'sketch') ? 'approximate' : 'answered' };
  };
}

/** A panel shows an hour a minute apart; what is asked does not hang on it. */
const RANGE_MS = 3_600_000;
const STEP_MS = 60_000;

function gridOf({ kind }: FoundQuestion): QueryGrid {
  const endMs = Math.floor(Date.now() / STEP_MS) * STEP_MS;
  return kind === 'range' ? rangeGrid(endMs - RANGE_MS, endMs, STEP_MS) : instantGrid(endMs);
}

/** The tree of a question; of labels without a selector, that of one for any series. */
function parsed({ asked, kind }: FoundQuestion, features: PromqlFeatures): { expr: Expr } | { why: string } {
  try {
    const expr = parseExpr(kind === 'labels' && asked === '' ? ANY_SERIES : asked, features);
    const type = typeOf(expr);
    if (kind === 'range' && type !== 'scalar' && type !== 'vector') {
      return { why: `1:1: a ${type === 'matrix' ? 'range vector' : type} has no value at the steps of a range query` };
    }
    return { expr };
  } catch (error) {
    if (error instanceof PromqlError || (error instanceof ComityError && error.code === 'limit')) {
      return { why: error.message };
    }
    throw error;
  }
}

const ANY_SERIES = '{__name__=~".+"}';

function isSketched(expr: Expr, approx: number | undefined): boolean {
  return approx !== undefined && hasQuantile(expr);
}

function wordsOf(fault: Fault, expr: Expr, { asked, restore }: FoundQuestion): string {
  const { code, name, span, domain } = fault;
  const node = nodeAt(expr, span);
  // In the text with the variables.
  const { line, column } = positionOf(restore(asked), restore(asked.slice(0, span.start)).length);
  const words =
    code === 'range_vector' || code === 'series_parameter'
      ? new PlanRefusal(node, code).words
      : refusalWords({ code, name }, domain ?? '', node).words;
  return `${printExpr(node)} (${line}:${column}): ${words}`;
}

function labelsJudged({ label = '' }: FoundQuestion, expr: Expr, policies: readonly Policy[]): Judgement {
  if (expr.kind !== 'vector') return { outcome: 'invalid', why: 'label values are asked of a selector' };
  for (const policy of policies) {
    if (label !== '' && !policy.permitsLabel(label)) {
      return { outcome: 'refused', why: `label ${label} may not leave domain ${policy.domain}` };
    }
    const refusal = checkMatchers(expr.matchers, policy);
    if (refusal !== undefined) {
      const without = {
        ...expr,
        matchers: expr.matchers.filter(({ name }) => policies.every((one) => one.permitsMatch(name))),
      };
      const works =
        without.matchers.length === 0
          ? {}
          : { works: { text: `label_values(${printExpr(without)}, ${label})`, widened: [] } };
      return {
        outcome: 'refused',
        why: `label ${refusal.name} cannot be matched on in domain ${policy.domain}`,
        ...works,
      };
    }
  }
  return { outcome: 'answered' };
}

async function labelsAsked({ asked, label = '' }: FoundQuestion, hub: string): Promise<Judgement> {
  const path = label === '' ? 'labels' : `label/${encodeURIComponent(label)}/values`;
  const params = new URLSearchParams({ limit: '1' });
  if (asked !== '') params.set('match[]', asked);
  const url = `${hub.replace(/\/+$/, '')}/api/v1/${path}?${params.toString()}`;
  try {
    const reply = (await (await request(url)).body.json()) as { status?: string; error?: string };
    return reply.status === 'success'
      ? { outcome: 'answered' }
      : { outcome: 'refused', why: reply.error ?? 'no reason given' };
  } catch (error) {
    throw new ComityError('unavailable', `nothing at ${url} answers as a hub does (${messageOf(error)})`, {
      cause: error,
    });
  }
}
