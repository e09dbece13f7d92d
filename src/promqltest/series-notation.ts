import { differenceOf, sumOf } from '../model/histogram-arithmetic.ts';
import type { Labels } from '../model/labels.ts';
import type { NativeHistogram } from '../model/histogram.ts';
import type { SequenceValue } from './command.ts';
import { parseHistogram, startsHistogram } from './histogram-notation.ts';
import { parseLabels } from './labels-notation.ts';
import { numberAt } from './number-notation.ts';
import { scanner, type Scanner } from './scanner.ts';
import { failAt, type ScriptLine } from './script-line.ts';

/** A label set and the values behind it. */
export interface Series {
  readonly labels: Labels;
  readonly values: readonly SequenceValue[];
}

/** More values than any test needs, against a line that asks for a billion. */
export const VALUES_MAX = 1_000_000;

/**
 * A line such as `name{label="value"} 1 2+3x4 _x2 stale {{sum:3 count:2 buckets:[1 1]}}x5`: `a+bxn` stands for n + 1 values
 * from a on, `axn` for n + 1 equal ones, `_` for none. Throws `ScriptError`.
 */
export function parseSeries(line: ScriptLine): Series {
  const scan = scanner(line);
  const labels = parseLabels(scan);
  const values: SequenceValue[] = [];
  while (!scan.done) {
    if (scan.take(SPACES) === undefined) scan.expected('a space before the next value');
    if (!scan.done) appendItem(scan, values);
  }
  return { labels, values };
}

const SPACES = /[ \t]+/y;
const COUNT = /x(\d+)/y;
const STALE = /stale(?!\w)/y;
const DIGITS = /\d+/y;

function appendItem(scan: Scanner, values: SequenceValue[]): void {
  if (scan.accept('_')) {
    const times = repetitions(scan);
    if (times === undefined) values.push(NONE);
    else appendMany(scan, values, times, () => NONE);
    return;
  }
  if (startsHistogram(scan)) return appendHistograms(scan, values);
  if (scan.take(STALE) !== undefined) {
    const times = repetitions(scan);
    return appendMany(scan, values, (times ?? 0) + 1, () => ({ kind: 'stale' }));
  }
  let value = numberAt(scan, 'a value, "_", "stale" or a histogram in {{ }}');
  const hasStep = scan.line.text[scan.at] === '+' || scan.line.text[scan.at] === '-';
  const step = hasStep ? numberAt(scan, 'a step') : 0;
  const times = repetitions(scan) ?? (hasStep ? scan.expected('"x" and how often the step is taken') : 0);
  appendMany(scan, values, times + 1, () => {
    const now = value;
    // Each value comes from the one before it, so that errors of rounding add up as in Prometheus.
    if (hasStep) value += step;
    return { kind: 'float', value: now };
  });
}

const NONE: SequenceValue = { kind: 'none' };

function appendHistograms(scan: Scanner, values: SequenceValue[]): void {
  const { histogram, hintGiven } = parseHistogram(scan);
  const operator = scan.accept('+') ? '+' : scan.accept('-') ? '-' : undefined;
  if (operator === undefined) {
    const times = repetitions(scan) ?? 0;
    return appendMany(scan, values, times + 1, () => ({ kind: 'histogram', histogram, hintGiven }));
  }
  const start = scan.at;
  if (!startsHistogram(scan)) scan.expected('a histogram in {{ }}');
  const step = parseHistogram(scan);
  const times = repetitions(scan) ?? scan.expected('"x" and how often the step is taken');
  let next: NativeHistogram | undefined;
  appendMany(scan, values, times + 1, () => {
    next = next === undefined ? histogram : combined(scan.line, start, next, operator, step.histogram);
    return { kind: 'histogram', histogram: next, hintGiven: step.hintGiven };
  });
}

function combined(
  line: ScriptLine,
  at: number,
  histogram: NativeHistogram,
  operator: '+' | '-',
  step: NativeHistogram,
): NativeHistogram {
  const from = histogram.layout.schema;
  const to = step.layout.schema;
  if (from > to) failAt(line, at, `a histogram of schema ${from} cannot be stepped by one of the coarser schema ${to}`);
  const result = operator === '+' ? sumOf(histogram, step) : differenceOf(histogram, step);
  return (
    result?.histogram ?? failAt(line, at, `a histogram of schema ${from} cannot be stepped by one of schema ${to}`)
  );
}

/** What `x5` says; undefined where there is none. */
function repetitions(scan: Scanner): number | undefined {
  const { at } = scan;
  const token = scan.take(COUNT);
  if (token !== undefined) return bounded(scan.line, at, Number(token.slice(1)));
  if (!scan.accept('x')) return undefined;
  scan.take(DIGITS);
  return scan.expected('a number of repetitions');
}

function bounded(line: ScriptLine, at: number, count: number): number {
  if (count <= VALUES_MAX) return count;
  return failAt(line, at, `more than ${VALUES_MAX} values in one series`);
}

function appendMany(scan: Scanner, values: SequenceValue[], count: number, next: () => SequenceValue): void {
  bounded(scan.line, scan.at, values.length + count);
  for (let i = 0; i < count; i++) values.push(next());
}
