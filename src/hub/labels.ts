import { TRUNCATED } from '../api/query.ts';
import { selectorParams } from '../api/selectors.ts';
import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { coverageWarning, summariseCoverage, type Coverage } from '../coverage/coverage.ts';
import { decodeLabelsAnswer, encodeLabelsRequest, type LabelsAnswer } from '../plan/frames/labels-codec.ts';
import { mayReadFrom } from '../plan/domain.ts';
import { askDomain, type Answer } from './dispatch.ts';
import type { Domain, Federation } from './registry.ts';

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

/**
 * Asks every domain that the selectors do not rule out by the domain label, and gives what any of them permits, sorted.
 * Fails when none of those asked answers.
 */
export async function runLabels(
  question: LabelsQuestion,
  { registry, domainLabel }: Federation,
): Promise<LabelsResult> {
  const limit = Math.min(question.limit || LIMITS.labelValues, LIMITS.labelValues);
  const selectors = selectorParams(question.selectors);
  // One more than wanted shows that there are more.
  const body = encodeLabelsRequest({ ...question, selectors: selectors.map((one) => one.matchers), limit: limit + 1 });
  const mayHold = ({ config }: Domain): boolean =>
    selectors.length === 0 || selectors.some((selector) => mayReadFrom(selector, domainLabel, config.name));
  const answers = await Promise.all(
    registry.map(async (domain) => ({
      domain,
      answer: mayHold(domain)
        ? await askDomain(domain, 'labels', body, question.deadlineMs, (bytes) => decodeLabelsAnswer(bytes, limit + 1))
        : undefined,
    })),
  );
  const coverage = summariseCoverage(answers.map(({ domain, answer }) => labelsCoverage(domain, answer)));
  const lists = answers.flatMap(({ answer }) =>
    answer?.ok === true && 'values' in answer.value ? [answer.value.values] : [],
  );
  const gap = coverageWarning(coverage);
  if (lists.length === 0 && answers.some(({ answer }) => answer !== undefined)) {
    const refused = coverage.domains.find((domain) => domain.status === 'refused')?.reason;
    throw new ComityError(refused === undefined ? 'unavailable' : 'refused', refused ?? gap ?? 'no domain answered');
  }
  const values = [...new Set(lists.flat())].sort();
  // A domain stops at the most that is allowed, so a list of that length may have been cut there.
  const isCut = values.length > limit || lists.some((list) => list.length >= LIMITS.labelValues);
  const warnings = [...(gap === undefined ? [] : [gap]), ...(isCut ? [TRUNCATED] : [])];
  return { values: values.slice(0, limit), coverage, warnings };
}

function labelsCoverage(
  { config, lastStatus }: Domain,
  answer: Answer<LabelsAnswer> | undefined,
): Coverage['domains'][number] {
  const base = { domain: config.name, expected: lastStatus?.expectedStreams ?? 0, settledUntil: null };
  if (answer === undefined) return { ...base, status: 'pruned', observed: lastStatus?.observedStreams ?? 0 };
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
