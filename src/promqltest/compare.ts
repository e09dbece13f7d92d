import { labelsKey } from '../model/labels.ts';
import { printDuration } from '../promql/duration.ts';
import { isAsExpected } from './almost-equal.ts';
import type { Expected, ExpectedSeries, NotesExpected, Range, SequenceValue, TextMatch } from './command.ts';
import { printPoints, printResult, printSeries, printValue, type Result, type ResultSeries } from './result.ts';

/** How an answer differs from what was expected. */
export interface Difference {
  readonly problem: string;
  /** In the notation of scripts, where there is something to compare; may have several lines. */
  readonly expected?: string | undefined;
  readonly got?: string | undefined;
}

/** The first difference of a result; undefined where there is none. `range`: the steps of a range query. */
export function resultDifference(
  expected: Exclude<Expected, { readonly kind: 'failure' }>,
  result: Result,
  range: Range | undefined,
): Difference | undefined {
  if (expected.kind === 'string') {
    if (result.kind === 'string' && result.value === expected.value) return undefined;
    return { problem: 'another result', expected: JSON.stringify(expected.value), got: printResult(result) };
  }
  if (expected.kind === 'scalar') {
    if (result.kind === 'scalar' && isAsExpected(expected.value, result.value)) return undefined;
    return { problem: 'another result', expected: printValue(expected.value), got: printResult(result) };
  }
  const isMatrix = range !== undefined;
  if (result.kind !== (isMatrix ? 'matrix' : 'vector')) {
    const wanted = `${isMatrix ? 'a matrix' : 'a vector'} of ${expected.series.length} series`;
    return { problem: `a ${result.kind} where ${wanted} was expected`, got: printResult(result) };
  }
  return seriesDifference(expected.series, result.series, range, expected.ordered);
}

/** The first difference of the notes of one level. */
export function notesDifference(
  expected: NotesExpected,
  level: 'warning' | 'info',
  got: readonly string[],
): Difference | undefined {
  if (expected.kind === 'any') return undefined;
  if (expected.kind === 'none') {
    return got.length === 0 ? undefined : { problem: `an unexpected ${level}`, got: got.join('\n') };
  }
  const wanted = expected.texts.map(printMatch).join('\n');
  if (got.length === 0) return { problem: `the ${level} is missing`, expected: wanted };
  const unmatched = expected.texts.find((text) => !got.some((one) => text.matches(one)));
  if (unmatched !== undefined) {
    return { problem: `no ${level} is as expected`, expected: printMatch(unmatched), got: got.join('\n') };
  }
  const unexpected = got.find((one) => !expected.texts.some((text) => text.matches(one)));
  return unexpected === undefined
    ? undefined
    : { problem: `an unexpected ${level}`, expected: wanted, got: unexpected };
}

export function errorDifference(expected: readonly TextMatch[], message: string): Difference | undefined {
  const unmatched = expected.find((text) => !text.matches(message));
  return unmatched && { problem: 'another error', expected: printMatch(unmatched), got: message };
}

export function printMatch({ kind, text }: TextMatch): string {
  if (kind === 'any') return 'any text';
  return kind === 'msg' ? text : `a text that matches ${text}`;
}

function seriesDifference(
  expected: readonly ExpectedSeries[],
  got: readonly ResultSeries[],
  range: Range | undefined,
  ordered: boolean,
): Difference | undefined {
  if (ordered && range !== undefined) return { problem: 'a matrix, whose series come in no order but that of labels' };
  // Of equal label sets the last one counts.
  const wanted = new Map(expected.map((series, position) => [labelsKey(series.labels), { series, position }]));
  const seen = new Set<string>();
  for (const [position, series] of got.entries()) {
    const key = labelsKey(series.labels);
    const one = wanted.get(key);
    if (one === undefined) return { problem: 'an unexpected series', got: printOf(series, range) };
    if (seen.has(key)) return { problem: 'two series with the same labels', got: printOf(series, range) };
    seen.add(key);
    if (ordered && one.position !== position) {
      const place = `at place ${position + 1} rather than ${one.position + 1}`;
      return {
        problem: `a series ${place}`,
        expected: printOrder(expected),
        got: got.map((s) => printOf(s, range)).join('\n'),
      };
    }
    const difference = valuesDifference(one.series, series, range);
    if (difference !== undefined) return difference;
  }
  for (const [key, { series }] of wanted) {
    if (seen.has(key)) continue;
    return {
      problem: 'a series is missing',
      expected: printSeries(series.labels, series.values),
      got: printAll(got, range),
    };
  }
  return undefined;
}

function valuesDifference(
  { labels, values }: ExpectedSeries,
  got: ResultSeries,
  range: Range | undefined,
): Difference | undefined {
  const lines = { expected: printSeries(labels, values), got: printOf(got, range) };
  if (range === undefined) {
    return isAsExpected(values[0]!, got.points[0]!.value) ? undefined : { problem: 'another value', ...lines };
  }
  const { fromMs, toMs, stepMs } = range;
  const steps = stepMs > 0 ? Math.floor((toMs - fromMs) / stepMs) + 1 : 1;
  if (values.length > steps) {
    return { problem: `${values.length} values are expected in a range of ${steps}`, ...lines };
  }
  const points = values.flatMap((value, i) => (value.kind === 'none' ? [] : [{ timeMs: fromMs + i * stepMs, value }]));
  for (let i = 0; i < Math.max(points.length, got.points.length); i++) {
    const point = points[i];
    const other = got.points[i];
    const at = (timeMs: number): string => `at ${printDuration(timeMs)}`;
    if (point === undefined) return { problem: `a value ${at(other!.timeMs)} too many`, ...lines };
    if (other === undefined) return { problem: `no value ${at(point.timeMs)}`, ...lines };
    if (point.timeMs < other.timeMs) return { problem: `no value ${at(point.timeMs)}`, ...lines };
    if (point.timeMs > other.timeMs) return { problem: `a value ${at(other.timeMs)} too many`, ...lines };
    if (!isAsExpected(point.value, other.value)) return { problem: `another value ${at(point.timeMs)}`, ...lines };
  }
  return undefined;
}

function printOrder(expected: readonly ExpectedSeries[]): string {
  return expected.map(({ labels, values }) => printSeries(labels, values)).join('\n');
}

function printAll(got: readonly ResultSeries[], range: Range | undefined): string {
  return got.length === 0 ? 'nothing' : got.map((series) => printOf(series, range)).join('\n');
}

/** The series as a line of the script would have it, where its values lie at the steps of the range. */
function printOf(series: ResultSeries, range: Range | undefined): string {
  const { labels, points } = series;
  if (range === undefined)
    return printSeries(
      labels,
      points.map(({ value }) => value),
    );
  const { fromMs, stepMs } = range;
  const at = (timeMs: number): number => (stepMs > 0 ? (timeMs - fromMs) / stepMs : 0);
  const last = at(points.at(-1)?.timeMs ?? fromMs);
  if (last > STEPS_MAX || points.some(({ timeMs }) => at(timeMs) < 0 || !Number.isInteger(at(timeMs)))) {
    return printPoints(series);
  }
  const values: SequenceValue[] = Array.from({ length: last + 1 }, () => ({ kind: 'none' }));
  for (const { timeMs, value } of points) values[at(timeMs)] = value;
  return printSeries(labels, values);
}

/** A range vector may lie anywhere; a line with so many gaps says nothing. */
const STEPS_MAX = 10_000;
