import { decodeExplainAnswer, type ExplainAnswer, type Verdict } from '../plan/frames/explain-codec.ts';
import type { Plan } from '../plan/distribute.ts';
import { askDomain, type Answer } from './dispatch.ts';
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
export function askVerdicts(plan: Plan, asking: Asking, federation: Federation): Promise<readonly DomainVerdicts[]> {
  const { registry, domainLabel } = federation;
  return Promise.all(
    registry.map(async (domain) => {
      const { asked, fragments, body } = requestOf(domain, plan, asking, domainLabel);
      if (asked.length === 0) return { domain, asked, answer: undefined };
      const answer = await askDomain(domain, 'explain', body, asking.deadlineMs, (bytes) =>
        decodeExplainAnswer(bytes, { fragments }),
      );
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
