import type { QueryResult } from './query.ts';

/** What running a query came to. */
export interface Analyzed {
  /** Of the result. */
  readonly rows: number;
  /** Of all answers, as sent. */
  readonly bytes: number;
  /** From the question to the result. */
  readonly tookMs: number;
  readonly domains: readonly AnalyzedDomain[];
}

/** One domain's answer to all of its fragments, which come together. */
export interface AnalyzedDomain {
  readonly domain: string;
  readonly status: string;
  readonly rows: number;
  readonly bytes: number;
  /** Waiting in the hub's queue included. */
  readonly tookMs: number;
  /** Steps that the hub knew from answers before, counted for each fragment. */
  readonly cachedSteps: number;
  /** Rows by fragment, by the plan's index; null where it was not asked or gave none. */
  readonly rowsOf: readonly (number | null)[];
}

export function analyzed({ value, plan, parts, coverage }: QueryResult, tookMs: number): Analyzed {
  const domains = parts.map(({ domain, asked, answer }): AnalyzedDomain => {
    const { name } = domain.config;
    const rowsOf = plan.fragments.map((_, index) => {
      const at = asked.indexOf(index);
      const given = at < 0 || answer?.ok !== true ? undefined : answer.value.fragments[at];
      return given !== undefined && 'rows' in given ? given.rows.length : null;
    });
    const cost =
      answer?.ok === true
        ? {
            bytes: answer.wireBytes,
            tookMs: inMicroseconds(answer.tookMs),
            cachedSteps: answer.value.cachedSteps,
          }
        : { bytes: 0, tookMs: 0, cachedSteps: 0 };
    return {
      domain: name,
      status: coverage.domains.find((one) => one.domain === name)!.status,
      rows: total(rowsOf.map((rows) => rows ?? 0)),
      ...cost,
      rowsOf,
    };
  });
  return {
    rows: rowsIn(value),
    bytes: total(domains.map(({ bytes }) => bytes)),
    tookMs: inMicroseconds(tookMs),
    domains,
  };
}

function rowsIn(value: QueryResult['value']): number {
  if (value.kind === 'vector') return value.rows.length;
  return value.kind === 'matrix' ? value.series.length : 1;
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

/** What a clock says beyond that is noise. */
function inMicroseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
