import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { coverageWarning, summariseCoverage, type Coverage } from '../coverage/coverage.ts';
import type { Matcher } from '../model/matcher.ts';
import { decodeLabelsAnswer, encodeLabelsRequest, type LabelsAnswer } from '../plan/frames.ts';
import { parseExpr } from '../promql/parse.ts';
import { askDomain, type Answer } from './dispatch.ts';
import type { Domain, Registry } from './registry.ts';

/** A question for label names (`name` empty) or the values of one label. */
export interface LabelsQuestion {
  readonly name: string;
  /** Series selectors as text; none asks about every series. */
  readonly selectors: readonly string[];
  readonly fromMs: number;
  readonly toMs: number;
  /** 0 for the most that is allowed. */
  readonly limit: number;
  readonly deadlineMs: number;
}

export interface LabelsResult {
  readonly values: readonly string[];
  readonly coverage: Coverage;
  readonly warnings: readonly string[];
}

/** Asks every domain and gives what any of them permits, sorted. Fails when no domain answers. */
export async function runLabels(question: LabelsQuestion, registry: Registry): Promise<LabelsResult> {
  const limit = Math.min(question.limit || LIMITS.labelValues, LIMITS.labelValues);
  const selectors = question.selectors.map(parseSelectorText);
  const body = encodeLabelsRequest({ ...question, selectors, limit });
  const answers = await Promise.all(
    registry.map(async (domain) => ({
      domain,
      answer: await askDomain(domain, 'labels', body, question.deadlineMs, decodeLabelsAnswer),
    })),
  );
  const coverage = summariseCoverage(answers.map(({ domain, answer }) => labelsCoverage(domain, answer)));
  const lists = answers.flatMap(({ answer }) => (answer.ok && 'values' in answer.value ? [answer.value.values] : []));
  const warning = coverageWarning(coverage);
  if (lists.length === 0) {
    const refused = coverage.domains.find((domain) => domain.status === 'refused')?.reason;
    throw new ComityError(
      refused === undefined ? 'unavailable' : 'refused',
      refused ?? warning ?? 'no domain answered',
    );
  }
  const values = [...new Set(lists.flat())].sort().slice(0, limit);
  return { values, coverage, warnings: warning === undefined ? [] : [warning] };
}

function parseSelectorText(text: string): readonly Matcher[] {
  const expr = parseExpr(text);
  if (expr.kind !== 'vector')
    throw new ComityError('bad_data', `invalid parameter "match[]": ${text} is no series selector`);
  return expr.matchers;
}

function labelsCoverage({ config, lastStatus }: Domain, answer: Answer<LabelsAnswer>): Coverage['domains'][number] {
  const base = { domain: config.name, expected: lastStatus?.expectedStreams ?? 0, settledUntil: null };
  if (!answer.ok) return { ...base, status: answer.outcome, observed: 0, reason: answer.reason };
  if ('refusal' in answer.value) {
    const { name } = answer.value.refusal;
    return {
      ...base,
      status: 'refused',
      observed: 0,
      reason: `refused: label ${name} may not leave domain ${config.name}`,
    };
  }
  return { ...base, status: 'ok', observed: answer.value.status.observedStreams };
}
