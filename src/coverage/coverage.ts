/** How a domain took part in an answer. `pruned` domains could not hold anything of it. */
export type DomainOutcome = 'ok' | 'partial' | 'refused' | 'timeout' | 'unreachable' | 'pruned';

/** One domain's part in an answer. Streams that a silent domain owes are those it last reported. */
export interface DomainCoverage {
  readonly domain: string;
  readonly status: DomainOutcome;
  readonly observed: number;
  readonly expected: number;
  /** Seconds since the epoch up to which the domain's data is settled; null when unknown. */
  readonly settledUntil: number | null;
  /** Why the status is not `ok`, for people. */
  readonly reason?: string;
}

/** The completeness of an answer: the `data.coverage` of the hub's API. */
export interface Coverage {
  readonly complete: boolean;
  readonly observed: number;
  readonly expected: number;
  readonly domains: readonly DomainCoverage[];
}

/** An answer is complete when every domain asked gave its whole part and none of its streams is missing. */
export function summariseCoverage(domains: readonly DomainCoverage[]): Coverage {
  const asked = domains.filter((domain) => domain.status !== 'pruned');
  return {
    complete: asked.every((domain) => domain.status === 'ok' && domain.observed >= domain.expected),
    observed: asked.reduce((total, domain) => total + domain.observed, 0),
    expected: asked.reduce((total, domain) => total + domain.expected, 0),
    domains,
  };
}

/** What is missing, in one sentence; undefined for a complete answer, which is silent. */
export function coverageWarning(coverage: Coverage): string | undefined {
  if (coverage.complete) return undefined;
  const gaps = coverage.domains.flatMap((domain) => {
    if (domain.status === 'pruned') return [];
    if (domain.status !== 'ok')
      return [`${domain.domain} ${domain.status}${domain.reason === undefined ? '' : ` (${domain.reason})`}`];
    return domain.observed < domain.expected
      ? [`${domain.domain} ${domain.expected - domain.observed} streams silent`]
      : [];
  });
  return `partial answer: ${coverage.observed} of ${coverage.expected} streams observed; ${gaps.join('; ')}`;
}

/** The same as HTTP headers. */
export function coverageHeaders(coverage: Coverage): Record<string, string> {
  const { complete, observed, expected, domains } = coverage;
  return {
    'Comity-Coverage': `complete=${complete}; observed=${observed}; expected=${expected}`,
    'Comity-Domains': domains.map(({ domain, status }) => `${domain}=${status}`).join(', '),
  };
}
