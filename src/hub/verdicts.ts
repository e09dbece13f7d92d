import { decodeExplainAnswer, type ExplainAnswer, type Verdict } from '../plan/frames/explain-codec.ts';
import type { Plan } from '../plan/distribute.ts';
import { NOTHING_KNOWN } from '../plan/frames/coverage-codec.ts';
import { encodeQueryRequest } from '../plan/frames/query-codec.ts';
import { newRequestId } from '../plan/frames/request-id.ts';
import { askDomain } from './dispatch.ts';
import type { Answer, Prepared } from './dispatch/attempt.ts';
import { requestOf, type Asking } from './parts.ts';
import type { DomainRefusal } from './refusal.ts';
import type { Domain, Federation } from './registry.ts';

/** What one domain says that it would do with a plan. */
export interface DomainVerdicts {
  readonly domain: Domain;
  /** Indices into the plan's fragments. */
  readonly asked: readonly number[];
  /** Undefined where there was nothing to ask. */
  readonly answer: Answer<ExplainAnswer> | undefined;
}

/** Asks every domain what it would do with the fragments that it could hold something of. No domain reads a sample for it. */
export function askVerdicts(
  plan: Plan,
  asking: Omit<Asking, 'coverage'>,
  federation: Federation,
): Promise<readonly DomainVerdicts[]> {
  const { registry, domainLabel } = federation;
  const { lookbackMs, features, deadlineMs, signal, trace } = asking;
  return Promise.all(
    registry.map(async (domain) => {
      const { asked, fragments } = requestOf(domain, plan, asking, domainLabel);
      if (asked.length === 0) return { domain, asked, answer: undefined };
      const prepare = (): Prepared<ExplainAnswer> => {
        const id = newRequestId();
        const query = { lookbackMs, features, fragments, coverage: [], since: NOTHING_KNOWN, id };
        return {
          body: (timeLeftMs) => encodeQueryRequest({ ...query, timeLeftMs }),
          decode: (bytes) => decodeExplainAnswer(bytes, query),
        };
      };
      const answer = await askDomain(domain, { endpoint: 'explain', prepare, deadlineMs, signal, trace });
      return { domain, asked, answer };
    }),
  );
}

/** The verdict on one fragment; undefined where the domain was not asked or did not answer. */
export function verdictOn({ asked, answer }: DomainVerdicts, index: number): Verdict | undefined {
  const at = asked.indexOf(index);
  return at < 0 || answer?.ok !== true ? undefined : answer.value.verdicts[at];
}

export function refusalsIn(verdicts: readonly DomainVerdicts[], plan: Plan): readonly DomainRefusal[] {
  return verdicts.flatMap((one) =>
    plan.fragments.flatMap((fragment, index) => {
      const verdict = verdictOn(one, index);
      return verdict !== undefined && 'refusal' in verdict
        ? [{ domain: one.domain.config.name, fragment, refusal: verdict.refusal }]
        : [];
    }),
  );
}
