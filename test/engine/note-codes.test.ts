import { expect, it } from 'vitest';
import * as annotations from '../../src/engine/annotations.ts';
import { areArguments, noteText } from '../../src/engine/note-codes.ts';
import type { Note } from '../../src/engine/notes.ts';

const SPAN = { start: 3, end: 5 };

/** What each annotation says, in the words of Prometheus. */
const WORDS: readonly (readonly [Note, string])[] = [
  [annotations.invalidQuantile(1.5, SPAN), 'warning: quantile value should be between 0 and 1, got 1.5'],
  [annotations.invalidQuantile(NaN, SPAN), 'warning: quantile value should be between 0 and 1, got NaN'],
  [annotations.invalidRatio(-2, -1, SPAN), 'warning: ratio value should be between -1 and 1, got -2, capping to -1'],
  [
    annotations.badBucketLabel('x_bucket', 'a"b', SPAN),
    'warning: bucket label "le" is missing or has a malformed value of "a\\"b" for metric name "x_bucket"',
  ],
  [annotations.badBucketLabel('', '', SPAN), 'warning: bucket label "le" is missing or has a malformed value of ""'],
  [
    annotations.mixedFloatsHistograms('x', SPAN),
    'warning: encountered a mix of histograms and floats for metric name "x"',
  ],
  [
    annotations.mixedFloatsHistogramsInAggregation(SPAN),
    'warning: encountered a mix of histograms and floats for aggregation',
  ],
  [
    annotations.mixedClassicNative('x', SPAN),
    'warning: vector contains a mix of classic and native histograms for metric name "x"',
  ],
  [annotations.nativeNotCounter('x', SPAN), 'warning: this native histogram metric is not a counter: "x"'],
  [annotations.nativeNotGauge('x', SPAN), 'warning: this native histogram metric is not a gauge: "x"'],
  [
    annotations.mixedExponentialCustom('x', SPAN),
    'warning: vector contains a mix of histograms with exponential and custom buckets schemas for metric name "x"',
  ],
  [
    annotations.incompatibleBucketLayout('-', SPAN),
    'warning: incompatible bucket layout encountered for binary operator -',
  ],
  [
    annotations.sortInRangeQuery(SPAN),
    'warning: sort is ineffective for range queries since results are always ordered by labels',
  ],
  [
    annotations.counterResetCollision('addition', SPAN),
    'warning: conflicting counter resets during histogram addition',
  ],
  [
    annotations.startTimeOverlap('x', SPAN),
    'warning: sample has start time that overlaps with previous sample timestamp for metric "x"',
  ],
  [
    annotations.possibleNonCounter('x', SPAN),
    'info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "x"',
  ],
  [
    annotations.possibleNonCounterType('x', 'gauge', SPAN),
    'info: metric might not be a counter, __type__ label is not set to "counter" or "histogram", got "gauge": "x"',
  ],
  [
    annotations.forcedMonotonicity('x', SPAN, 1, 2, 3, 4),
    'info: input to histogram_quantile needed to be fixed for monotonicity ' +
      '(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile) for metric name "x"',
  ],
  [
    annotations.incompatibleTypes('float', '>', 'histogram', SPAN),
    'info: incompatible sample types encountered for binary operator ">": float > histogram',
  ],
  [annotations.ignoredInAggregation('topk', SPAN), 'info: ignored histogram in topk aggregation'],
  [
    annotations.ignoredInMixedRange('x', SPAN),
    'info: ignored histograms in a range containing both floats and histograms for metric name "x"',
  ],
  [annotations.quantileIsNaN('', SPAN), 'info: input to histogram_quantile has NaN observations, result is NaN'],
  [
    annotations.quantileIsSkewed('x', SPAN),
    'info: input to histogram_quantile has NaN observations, result is skewed higher for metric name "x"',
  ],
  [
    annotations.fractionHasNaN('x', SPAN),
    'info: input to histogram_fraction has NaN observations, which are excluded from all fractions for metric name "x"',
  ],
  [
    annotations.customBoundsReconciled('subtraction', SPAN),
    'info: mismatched custom buckets were reconciled during subtraction',
  ],
];

it.each(WORDS)('%o', (note, words) => {
  expect(noteText(note)).toBe(`PromQL ${words}`);
  expect(words.startsWith(note.level)).toBe(true);
  expect(note.span).toBe(SPAN);
  // What the engine says could have come over the wire.
  expect(areArguments(note.code, note.args)).toBe(true);
});

it('every annotation is in the table', () => {
  const codes = new Set(WORDS.map(([{ code }]) => code));
  expect(codes.size).toBe(Object.keys(annotations).length);
});
