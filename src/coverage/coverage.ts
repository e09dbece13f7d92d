import { gridEnd, stepTime, type StepGrid } from '../model/grid.ts';
import { readUntil } from '../plan/coverage-reads.ts';
import type { CoverageRead, CoverageRun } from '../plan/frames/coverage-codec.ts';
import { stepsWithin, type TimeRange } from '../plan/read-range.ts';

/** How a domain took part in an answer. `pruned` domains could not hold anything of it. */
export type DomainOutcome = 'ok' | 'partial' | 'refused' | 'timeout' | 'unreachable' | 'pruned';

/** One domain's part in an answer. Streams that a silent domain owes are those it last reported. Times are seconds. */
export interface DomainCoverage {
  readonly domain: string;
  readonly status: DomainOutcome;
  /** Of the step with the smallest part of its streams; of equal ones that where the most are missing. */
  readonly observed: number;
  readonly expected: number;
  /** The first and the last step that the domain answered; null where it answered none. */
  readonly from: number | null;
  readonly to: number | null;
  /** Up to when the domain's data is settled; null when unknown. */
  readonly settledUntil: number | null;
  /** Why the status is not `ok`, for people. */
  readonly reason?: string;
  /** Step by step, those that are alike together; empty for a domain that was not asked, and for lists, which have no steps. */
  readonly steps: readonly StepsCoverage[];
  /** Whether the domain's policy may suppress small groups of what was read, whatever it did. */
  readonly suppressible: boolean;
}

/** The steps from `from` to `to`, both included, which are alike. */
export interface StepsCoverage {
  readonly from: number;
  readonly to: number;
  readonly observed: number;
  readonly expected: number;
  /** They read times that are not settled: what is there may grow. */
  readonly unsettled?: true;
}

/** The completeness of an answer: the `data.coverage` of the hub's API. */
export interface Coverage {
  readonly complete: boolean;
  /** Sums over the domains that were asked. */
  readonly observed: number;
  readonly expected: number;
  /** Up to when the data of all domains that were asked is settled; null when one of them does not say, or none was asked. */
  readonly settledUntil: number | null;
  readonly domains: readonly DomainCoverage[];
}

/** Steps of a range that a domain did not answer while it answered others. */
export interface MissingSteps {
  /** The times of the steps. */
  readonly range: TimeRange;
  readonly outcome: DomainOutcome;
  readonly reason: string;
}

/** What a domain that was asked came to. */
export interface DomainPart {
  readonly domain: string;
  readonly grid: StepGrid;
  /** What the steps read: it decides which of them are settled. */
  readonly reads: readonly CoverageRead[];
  /** As long as the grid. */
  readonly runs: readonly CoverageRun[];
  readonly missing: readonly MissingSteps[];
  /** ms; 0 when unknown. */
  readonly settledUntilMs: number;
  readonly suppressible: boolean;
  /** Why it gave nothing at all; undefined where it answered. */
  readonly failed?: { readonly status: DomainOutcome; readonly reason: string } | undefined;
}

/** The coverage of one domain's part in an answer. Takes time linear in its runs. */
export function domainCoverage(part: DomainPart): DomainCoverage {
  const { domain, grid, settledUntilMs, suppressible } = part;
  const runs = placed(part);
  const answered = part.failed === undefined ? runs.filter(({ isMissing }) => !isMissing) : [];
  const failed = part.failed ?? (answered.length === 0 ? allMissing(part) : undefined);
  const { observed, expected } = worst(runs);
  const reason = failed?.reason ?? gapReason(part, answered);
  const [first, last] = [answered[0], answered.at(-1)];
  return {
    domain,
    status: failed?.status ?? (reason === undefined ? 'ok' : 'partial'),
    observed,
    expected,
    from: first === undefined ? null : stepTime(grid, first.first) / 1000,
    to: last === undefined ? null : stepTime(grid, last.first + last.steps - 1) / 1000,
    settledUntil: secondsOrNull(settledUntilMs),
    ...(reason === undefined ? {} : { reason }),
    steps: stepsCoverage(runs, grid),
    suppressible,
  };
}

/** The coverage of a domain that was not asked for anything. */
export function prunedCoverage(domain: string, settledUntilMs: number, reason?: string): DomainCoverage {
  return {
    domain,
    status: 'pruned',
    observed: 0,
    expected: 0,
    from: null,
    to: null,
    settledUntil: secondsOrNull(settledUntilMs),
    ...(reason === undefined ? {} : { reason }),
    steps: [],
    suppressible: false,
  };
}

/** An answer is complete when every domain asked gave its whole part and none of its streams is missing. */
export function summariseCoverage(domains: readonly DomainCoverage[]): Coverage {
  const asked = domains.filter((domain) => domain.status !== 'pruned');
  const settled = asked.map(({ settledUntil }) => settledUntil);
  return {
    complete: asked.every((domain) => domain.status === 'ok'),
    observed: asked.reduce((total, domain) => total + domain.observed, 0),
    expected: asked.reduce((total, domain) => total + domain.expected, 0),
    settledUntil: settled.reduce<number | null>(
      (least, one) => (one === null || least === null ? null : Math.min(least, one)),
      settled[0] ?? null,
    ),
    domains,
  };
}

/** What is missing, in one sentence; undefined for a complete answer, which is silent. */
export function coverageWarning(coverage: Coverage): string | undefined {
  if (coverage.complete) return undefined;
  const gaps = coverage.domains.flatMap(({ domain, status, reason }) =>
    LACKING.has(status) ? [`${domain} ${status}${reason === undefined ? '' : ` (${reason})`}`] : [],
  );
  const more = gaps.length > NAMED_MAX ? [`${gaps.length - NAMED_MAX} more domains`] : [];
  const named = [...gaps.slice(0, NAMED_MAX), ...more].join('; ');
  return `partial answer: ${coverage.observed} of ${coverage.expected} streams observed; ${named}`;
}

/**
 * That policies may have kept small groups out of an answer, in one sentence, whether they did or not; undefined where none of
 * the domains that answered could have.
 */
export function suppressionInfo({ domains }: Coverage): string | undefined {
  const names = domains.flatMap(({ domain, suppressible }) => (suppressible ? [domain] : []));
  if (names.length === 0) return undefined;
  const more = names.length > NAMED_MAX ? ` and ${names.length - NAMED_MAX} more` : '';
  const listed = `${names.slice(0, NAMED_MAX).join(', ')}${more}`;
  return names.length === 1
    ? `small groups may be missing: domain ${listed} leaves out groups of few series`
    : `small groups may be missing: domains ${listed} leave out groups of few series`;
}

/**
 * The same as HTTP headers. Of very many domains those that lack something are named first and the rest is counted as `*`:
 * clients take no more than some KB of headers.
 */
export function coverageHeaders(coverage: Coverage): Record<string, string> {
  const { complete, observed, expected, domains } = coverage;
  const inOrder =
    domains.length > NAMED_MAX
      ? domains.toSorted((a, b) => Number(LACKING.has(b.status)) - Number(LACKING.has(a.status)))
      : domains;
  const named = inOrder.slice(0, NAMED_MAX).map(({ domain, status }) => `${domain}=${status}`);
  const more = domains.length > NAMED_MAX ? [`*=${domains.length - NAMED_MAX}`] : [];
  return {
    'Comity-Coverage': `complete=${complete}; observed=${observed}; expected=${expected}`,
    'Comity-Domains': [...named, ...more].join(', '),
  };
}

/** Statuses of domains that lack something. */
const LACKING: ReadonlySet<DomainOutcome> = new Set<DomainOutcome>(['partial', 'refused', 'timeout', 'unreachable']);

/** Domains that a sentence or a header names. */
const NAMED_MAX = 64;

/** One run as part of a grid. */
interface PlacedRun extends CoverageRun {
  /** Index of its first step. */
  readonly first: number;
  readonly isUnsettled: boolean;
  /** Whether the domain did not answer these steps. */
  readonly isMissing: boolean;
}

/** The runs cut where settled steps end and where missing ones begin and end, so that each is of one kind. */
function placed({ grid, reads, runs, missing, settledUntilMs }: DomainPart): readonly PlacedRun[] {
  const unsettledFrom = firstUnsettled(grid, reads, settledUntilMs);
  const holes = missing
    .map(({ range }) => stepsWithin(grid, range))
    .filter(({ first, end }) => first < end)
    .toSorted((a, b) => a.first - b.first);
  const out: PlacedRun[] = [];
  let hole = 0;
  let first = 0;
  for (const { steps, observed, expected } of runs) {
    const runEnd = first + steps;
    while (first < runEnd) {
      while (hole < holes.length && holes[hole]!.end <= first) hole++;
      const next = holes[hole];
      const isMissing = next !== undefined && next.first <= first;
      const isUnsettled = first >= unsettledFrom;
      const end = Math.min(
        runEnd,
        isUnsettled ? runEnd : unsettledFrom,
        next === undefined ? runEnd : isMissing ? next.end : next.first,
      );
      out.push({ first, steps: end - first, observed: isMissing ? 0 : observed, expected, isUnsettled, isMissing });
      first = end;
    }
  }
  return out;
}

/** The first step that reads times after the watermark; steps read later and later. Where that is unknown, none is marked. */
function firstUnsettled(grid: StepGrid, reads: readonly CoverageRead[], settledUntilMs: number): number {
  if (settledUntilMs === 0 || !(readUntil(reads, gridEnd(grid)) > settledUntilMs)) return grid.steps;
  if (readUntil(reads, grid.startMs) > settledUntilMs) return 0;
  const relativeMs = reads.reduce((most, { fixed, toMs }) => (fixed ? most : Math.max(most, toMs)), -Infinity);
  return Math.floor((settledUntilMs - relativeMs - grid.startMs) / grid.stepMs) + 1;
}

function worst(runs: readonly CoverageRun[]): { readonly observed: number; readonly expected: number } {
  let found: CoverageRun = { steps: 0, observed: 0, expected: 0 };
  for (const run of runs) if (isWorse(run, found)) found = run;
  return found;
}

/** By the part that is there, then by what is missing, then by what is expected. Of nothing, all is there. */
function isWorse(one: CoverageRun, other: CoverageRun): boolean {
  // Products are exact where fractions are not.
  const difference = thereIn(one) * (other.expected || 1) - thereIn(other) * (one.expected || 1);
  if (difference !== 0) return difference < 0;
  const more = missingIn(one) - missingIn(other);
  return more === 0 ? one.expected > other.expected : more > 0;
}

function thereIn({ observed, expected }: CoverageRun): number {
  return expected === 0 ? 1 : observed;
}

function missingIn({ observed, expected }: CoverageRun): number {
  return expected - observed;
}

function allMissing({ missing }: DomainPart): { readonly status: DomainOutcome; readonly reason: string } | undefined {
  const [first] = missing;
  return first === undefined ? undefined : { status: first.outcome, reason: first.reason };
}

/** What an answer lacks, in words. */
function gapReason({ grid, missing }: DomainPart, answered: readonly PlacedRun[]): string | undefined {
  const { observed, expected } = worst(answered);
  const gappy = answered.reduce((steps, run) => (run.observed < run.expected ? steps + run.steps : steps), 0);
  const where = gappy === grid.steps ? '' : ` at ${gappy} of ${grid.steps} steps`;
  const reasons = gappy === 0 ? [] : [`${expected - observed} of ${expected} streams silent${where}`];
  const [first] = missing;
  const lacking = grid.steps - answered.reduce((steps, run) => steps + run.steps, 0);
  if (first !== undefined && lacking > 0) {
    reasons.push(`no answer for ${lacking} of ${grid.steps} steps: ${first.outcome}, ${first.reason}`);
  }
  return reasons.length === 0 ? undefined : reasons.join('; ');
}

function stepsCoverage(runs: readonly PlacedRun[], grid: StepGrid): readonly StepsCoverage[] {
  const out: StepsCoverage[] = [];
  for (const { first, steps, observed, expected, isUnsettled } of runs) {
    const to = stepTime(grid, first + steps - 1) / 1000;
    const last = out.at(-1);
    const isSame =
      last?.observed === observed && last.expected === expected && (last.unsettled === true) === isUnsettled;
    if (isSame) out[out.length - 1] = { ...last, to };
    else {
      const from = stepTime(grid, first) / 1000;
      out.push({ from, to, observed, expected, ...(isUnsettled ? { unsettled: true } : {}) });
    }
  }
  return out;
}

function secondsOrNull(ms: number): number | null {
  return ms === 0 ? null : ms / 1000;
}
