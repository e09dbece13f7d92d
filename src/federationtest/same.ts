import { sameHistogramWithin } from '../promqltest/almost-equal.ts';
import type { Difference } from '../promqltest/compare.ts';
import type { SequenceValue } from '../promqltest/command.ts';
import { printPoints, printResult, printValue, type Result, type ResultSeries } from '../promqltest/result.ts';
import { labelsKey, METRIC_NAME, withLabel, type Labels } from '../model/labels.ts';

/** The sum of the absolute terms behind the value of one series at one time; undefined where it is not known. */
export type TermSum = (labels: Labels, timeMs: number) => number | undefined;

/** A difference of two answers. `isClose`: finite numbers that may be equal once the terms behind them are known. */
export interface AnswerDifference extends Difference {
  readonly isClose: boolean;
}

const RELATIVE = 1e-12;
/** Two sums of the same terms in another order may differ by a few units in the last place of the terms. */
const CANCELLING = 16 * 2 ** -52;

/**
 * Whether numbers are equal: within 1e-12 relative, or within 16 ε times the sum of the absolute terms behind them. NaN
 * equals NaN.
 */
export function closeValues(want: number, got: number, terms?: number): boolean {
  if (want === got || (want !== want && got !== got)) return true;
  if (!Number.isFinite(want) || !Number.isFinite(got)) return false;
  const apart = Math.abs(want - got);
  if (apart <= RELATIVE * Math.max(Math.abs(want), Math.abs(got))) return true;
  return terms !== undefined && Number.isFinite(terms) && apart <= CANCELLING * terms;
}

/** How `got` differs from `want`: kind, label sets, steps, values, and the order of series where `ordered`. */
export function answerDifference(
  want: Result,
  got: Result,
  ordered: boolean,
  terms?: TermSum,
): AnswerDifference | undefined {
  const whole = { expected: printResult(want), got: printResult(got), isClose: false };
  if (want.kind === 'scalar' && got.kind === 'scalar') {
    return valueDifference(want.value, got.value, terms?.([], 0), 'another scalar');
  }
  if (want.kind === 'string' && got.kind === 'string') {
    return want.value === got.value ? undefined : { problem: 'another string', ...whole };
  }
  if (!('series' in want) || !('series' in got) || want.kind !== got.kind) {
    return { problem: `a ${got.kind} where a ${want.kind} was expected`, ...whole };
  }
  const wanted = new Map(want.series.map((series) => [labelsKey(series.labels), series]));
  const given = new Map(got.series.map((series) => [labelsKey(series.labels), series]));
  if (given.size < got.series.length) return { problem: 'two series with the same labels', ...whole };
  let close: AnswerDifference | undefined;
  for (const [key, series] of wanted) {
    const other = given.get(key);
    if (other === undefined) return { problem: 'a series is missing', ...whole, expected: printPoints(series) };
    const difference = seriesDifference(series, other, terms);
    if (difference?.isClose === false) return difference;
    close ??= difference;
  }
  const extra = got.series.find(({ labels }) => !wanted.has(labelsKey(labels)));
  if (extra !== undefined) return { problem: 'an unexpected series', ...whole, got: printPoints(extra) };
  if (close !== undefined) return close;
  const isMoved = ordered && [...wanted.keys()].some((key, i) => labelsKey(got.series[i]!.labels) !== key);
  return isMoved ? { problem: 'series in another order', ...whole } : undefined;
}

function seriesDifference(
  want: ResultSeries,
  got: ResultSeries,
  terms: TermSum | undefined,
): AnswerDifference | undefined {
  const lines = { expected: printPoints(want), got: printPoints(got) };
  const sameTimes =
    want.points.length === got.points.length && want.points.every(({ timeMs }, i) => timeMs === got.points[i]!.timeMs);
  if (!sameTimes) return { problem: 'other steps', ...lines, isClose: false };
  let close: AnswerDifference | undefined;
  for (const [i, { timeMs, value }] of want.points.entries()) {
    const sum = terms?.(want.labels, timeMs);
    const difference = valueDifference(value, got.points[i]!.value, sum, 'another value');
    if (difference === undefined) continue;
    const shown = { ...difference, ...lines, problem: `${difference.problem} (${difference.got})` };
    if (!difference.isClose) return shown;
    close ??= shown;
  }
  return close;
}

function valueDifference(
  want: SequenceValue,
  got: SequenceValue,
  terms: number | undefined,
  problem: string,
): AnswerDifference | undefined {
  const shown = { expected: printValue(want), got: `${printValue(got)} for ${printValue(want)}` };
  if (want.kind === 'float' && got.kind === 'float') {
    if (closeValues(want.value, got.value, terms)) return undefined;
    return { problem, ...shown, isClose: Number.isFinite(want.value) && Number.isFinite(got.value) };
  }
  if (want.kind === 'histogram' && got.kind === 'histogram') {
    const { histogram: a } = want;
    const { histogram: b } = got;
    if (a.hint === b.hint && sameHistogramWithin(a, b, closeValues)) return undefined;
    const hints = a.hint === b.hint ? '' : `, hint ${b.hint} for ${a.hint}`;
    return { problem: `${problem}${hints}`, ...shown, isClose: false };
  }
  return want.kind === got.kind ? undefined : { problem: 'a value of another kind', ...shown, isClose: false };
}

/** Looks terms up in the answer to the companion query, whose series have no metric name. */
export function termLookup(result: Result): TermSum {
  if (result.kind === 'scalar') {
    const { value } = result;
    return () => (value.kind === 'float' ? value.value : undefined);
  }
  if (result.kind === 'string') return () => undefined;
  const nameless = (labels: Labels): string => labelsKey(withLabel(labels, METRIC_NAME, ''));
  const byLabels = new Map(result.series.map((series) => [nameless(series.labels), series]));
  return (labels, timeMs) => {
    const value = byLabels.get(nameless(labels))?.points.find((point) => point.timeMs === timeMs)?.value;
    return value?.kind === 'float' ? value.value : undefined;
  };
}

/** A note's text without the numbers of its samples, which an aggregate metric keeps to itself. */
export function withoutDetail(text: string): string {
  return text.replace(/, from buckets .*?(?= \(\d+:\d+\)$)/s, '').replace(/ \(\d+ occurrences\)(?= \(\d+:\d+\)$)/, '');
}

/**
 * Whether an info hangs on the order in which histograms were added: once custom buckets have met exponential ones a sum is
 * given up, and whether custom buckets were reconciled before that is an accident.
 */
export function hangsOnOrder(info: string, warnings: readonly string[]): boolean {
  return info.includes('mismatched custom buckets were reconciled') && warnings.some((text) => text.includes(MIXED));
}

const MIXED = 'a mix of histograms with exponential and custom buckets schemas';

/** How the notes of one level differ; as sets, since the order in which series are looked at is nobody's to say. */
export function noteSetDifference(
  level: 'warning' | 'info',
  want: readonly string[],
  got: readonly string[],
): AnswerDifference | undefined {
  const missing = want.find((text) => !got.includes(text));
  const extra = got.find((text) => !want.includes(text));
  if (missing === undefined && extra === undefined) return undefined;
  const problem = extra === undefined ? `a missing ${level}` : `an unexpected ${level}`;
  return { problem, expected: want.join('\n') || 'none', got: got.join('\n') || 'none', isClose: false };
}
