import type { Point } from '../fuzz-promql/answer.ts';
import { closePoints, describePoint } from '../fuzz-promql/compare.ts';
import { labelKey, type Answer, type AnswerSeries } from './answer.ts';

/** The first way in which two answers differ. `want` and `got` are words for people. */
export interface Difference {
  readonly kind: 'outcome' | 'series' | 'step' | 'value';
  readonly where: string;
  readonly want: string;
  readonly got: string;
}

/** The sum of the absolute terms behind the value of one series at one time, or undefined when it is not known. */
export type TermSum = (labels: ReadonlyMap<string, string>, timeMs: number) => number | undefined;

/** What `topk` and `bottomk` at the root of a query leave open: which of the tied series are in the answer. */
export interface Ranking {
  readonly k: number;
  readonly largest: boolean;
  /** The labels of the group that a series is ranked in. */
  group(labels: ReadonlyMap<string, string>): string;
}

export interface CompareOptions {
  readonly terms?: TermSum;
  readonly ranking?: Ranking;
}

/** Two sums of the same terms in another order may differ by a few units in the last place of the terms. */
const CANCELLING = 16 * 2 ** -52;

/**
 * How `got` differs from `want`, or undefined when they are equal: within 1e-12 relative or, where terms cancel, within
 * 16 ε times the sum of the absolute terms. NaN equals NaN, series are matched by label sets, every step must be
 * present in both or in neither, and an error equals an error whatever its words.
 */
export function compareAnswers(want: Answer, got: Answer, options: CompareOptions = {}): Difference | undefined {
  if (want.kind === 'error' || got.kind === 'error') {
    if (want.kind === got.kind) return undefined;
    return { kind: 'outcome', where: 'the answer', want: describeOutcome(want), got: describeOutcome(got) };
  }
  if (want.resultType !== got.resultType) {
    return { kind: 'outcome', where: 'the result type', want: want.resultType, got: got.resultType };
  }
  if (options.ranking !== undefined) return compareRanked(want.series, got.series, options.ranking, options.terms);
  for (const [key, series] of want.series) {
    const other = got.series.get(key);
    if (other === undefined) return { kind: 'series', where: key, want: describe(series), got: 'no such series' };
    const difference = comparePoints(key, series, other, options.terms);
    if (difference !== undefined) return difference;
  }
  for (const [key, series] of got.series) {
    if (!want.series.has(key)) return { kind: 'series', where: key, want: 'no such series', got: describe(series) };
  }
  return undefined;
}

/** Whether two values are equal; `terms` is the sum of the absolute terms behind them. Histograms are, field by field. */
function closeValues(want: Point, got: Point, terms?: number): boolean {
  if (closePoints(want, got)) return true;
  if (typeof want !== 'number' || typeof got !== 'number') return false;
  if (!Number.isFinite(want) || !Number.isFinite(got)) return false;
  const apart = Math.abs(want - got);
  return terms !== undefined && Number.isFinite(terms) && apart <= CANCELLING * terms;
}

function comparePoints(
  key: string,
  want: AnswerSeries,
  got: AnswerSeries,
  terms: TermSum | undefined,
): Difference | undefined {
  for (const [timeMs, value] of want.points) {
    const where = `${key} at ${timeMs}`;
    const other = got.points.get(timeMs);
    if (other === undefined) return { kind: 'step', where, want: describePoint(value), got: 'no sample' };
    if (closeValues(value, other)) continue;
    if (!closeValues(value, other, terms?.(want.labels, timeMs))) {
      return { kind: 'value', where, want: describePoint(value), got: describePoint(other) };
    }
  }
  for (const [timeMs, value] of got.points) {
    if (!want.points.has(timeMs)) {
      return { kind: 'step', where: `${key} at ${timeMs}`, want: 'no sample', got: describePoint(value) };
    }
  }
  return undefined;
}

interface Ranked {
  readonly key: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly value: number;
}

function compareRanked(
  want: ReadonlyMap<string, AnswerSeries>,
  got: ReadonlyMap<string, AnswerSeries>,
  ranking: Ranking,
  terms: TermSum | undefined,
): Difference | undefined {
  const wanted = rankedGroups(want, ranking);
  const given = rankedGroups(got, ranking);
  for (const place of new Set([...wanted.keys(), ...given.keys()])) {
    const timeMs = Number(place.slice(0, place.indexOf(' ')));
    const left = wanted.get(place) ?? [];
    const right = given.get(place) ?? [];
    const differs = left.length !== right.length || !sameRanks(left, right, timeMs, ranking, terms);
    if (differs) return { kind: 'value', where: `group ${place}`, want: showRanks(left), got: showRanks(right) };
  }
  return undefined;
}

function sameRanks(
  want: readonly Ranked[],
  got: readonly Ranked[],
  timeMs: number,
  ranking: Ranking,
  terms: TermSum | undefined,
): boolean {
  const last = want.at(-1)?.value ?? NaN;
  return want.every((entry, rank) => {
    const sum = terms?.(entry.labels, timeMs);
    const other = got[rank];
    if (other === undefined || !closeValues(entry.value, other.value, sum)) return false;
    // Only a series tied with the last rank of a full group may be replaced by another one.
    if (want.length === ranking.k && closeValues(entry.value, last, sum)) return true;
    const same = got.find((candidate) => candidate.key === entry.key);
    return same !== undefined && closeValues(entry.value, same.value, sum);
  });
}

/** By time and group, the entries from the best to the last; NaN is last either way. */
function rankedGroups(answer: ReadonlyMap<string, AnswerSeries>, ranking: Ranking): Map<string, Ranked[]> {
  const groups = new Map<string, Ranked[]>();
  for (const [key, { labels, points }] of answer) {
    for (const [timeMs, value] of points) {
      const place = `${timeMs} ${ranking.group(labels)}`;
      const group = groups.get(place) ?? [];
      // Rankings take no histograms.
      group.push({ key, labels, value: typeof value === 'number' ? value : NaN });
      groups.set(place, group);
    }
  }
  const sign = ranking.largest ? -1 : 1;
  for (const group of groups.values()) {
    group.sort((a, b) => {
      if (Number.isNaN(a.value) || Number.isNaN(b.value))
        return Number(Number.isNaN(a.value)) - Number(Number.isNaN(b.value));
      return a.value === b.value ? 0 : sign * (a.value < b.value ? -1 : 1);
    });
  }
  return groups;
}

/** How `topk by (…)` and `topk without (…)` group series. */
export function groupKey(labels: ReadonlyMap<string, string>, without: boolean, grouping: readonly string[]): string {
  const names = new Set(grouping);
  const kept = [...labels].filter(([name]) => (without ? name !== '__name__' && !names.has(name) : names.has(name)));
  return labelKey(new Map(kept));
}

/** An answer in a few words. */
export function describeOutcome(answer: Answer): string {
  if (answer.kind === 'data') return `${answer.series.size} series`;
  return `error ${answer.status} ${answer.errorType}: ${answer.message}`;
}

function describe({ points }: AnswerSeries): string {
  const [first] = points;
  return first === undefined
    ? 'a series without samples'
    : `${points.size} samples from ${first[0]}, first ${describePoint(first[1])}`;
}

function showRanks(group: readonly Ranked[]): string {
  return group.length === 0 ? 'nothing' : group.map(({ key, value }) => `${key} ${value}`).join('; ');
}
