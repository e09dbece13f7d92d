import { formatShort } from '../base/numbers.ts';
import { AGGREGATES } from '../promql/functions.ts';

/*
 * The annotations of Prometheus (https://prometheus.io/docs/prometheus/latest/querying/api/#format-overview), word for word:
 * clients and tests compare them. What travels is the code and what the text names.
 */

/** What an argument of a note is, for whoever decides whether it may leave a domain. */
export type ArgumentKind =
  /** The name of a metric; empty where it is not known. */
  | 'metric'
  | 'number'
  /** A word of the language, one of a fixed list. */
  | keyof typeof WORDS
  /** The value of this label. */
  | { readonly label: string };

export type NoteArgument = string | number;

const WORDS = {
  operation: ['addition', 'subtraction', 'aggregation'],
  operator: [
    '+',
    '-',
    '*',
    '/',
    '%',
    '^',
    'atan2',
    '==',
    '!=',
    '>',
    '<',
    '>=',
    '<=',
    '</',
    '>/',
    'and',
    'or',
    'unless',
  ],
  sampleType: ['float', 'histogram'],
  aggregation: [...AGGREGATES.keys()],
} as const satisfies Record<string, readonly string[]>;

export type HistogramOperation = (typeof WORDS.operation)[number];
export type SampleType = (typeof WORDS.sampleType)[number];

interface NoteShape {
  readonly level: 'warning' | 'info';
  readonly arguments: readonly ArgumentKind[];
  readonly text: (...args: readonly NoteArgument[]) => string;
}

const NOTES = {
  invalid_quantile: warning(
    ['number'],
    (quantile) => `quantile value should be between 0 and 1, got ${formatShort(Number(quantile))}`,
  ),
  invalid_ratio: warning(['number', 'number'], (ratio, to) => {
    const got = `got ${formatShort(Number(ratio))}, capping to ${formatShort(Number(to))}`;
    return `ratio value should be between -1 and 1, ${got}`;
  }),
  bad_bucket_label: warning(['metric', { label: 'le' }], (metric, le) =>
    ofMetric(`bucket label "le" is missing or has a malformed value of ${quoted(le)}`, metric),
  ),
  mixed_floats_histograms: warning(
    ['metric'],
    (metric) => `encountered a mix of histograms and floats for metric name ${quoted(metric)}`,
  ),
  mixed_floats_histograms_in_aggregation: warning(
    [],
    () => 'encountered a mix of histograms and floats for aggregation',
  ),
  mixed_classic_native: warning(['metric'], (metric) =>
    ofMetric('vector contains a mix of classic and native histograms', metric),
  ),
  native_not_counter: warning(
    ['metric'],
    (metric) => `this native histogram metric is not a counter: ${quoted(metric)}`,
  ),
  native_not_gauge: warning(['metric'], (metric) => `this native histogram metric is not a gauge: ${quoted(metric)}`),
  mixed_exponential_custom: warning(['metric'], (metric) => {
    const mix = 'vector contains a mix of histograms with exponential and custom buckets schemas';
    return `${mix} for metric name ${quoted(metric)}`;
  }),
  incompatible_bucket_layout: warning(
    ['operator'],
    (operator) => `incompatible bucket layout encountered for binary operator ${operator}`,
  ),
  sort_in_range_query: warning(
    [],
    () => 'sort is ineffective for range queries since results are always ordered by labels',
  ),
  counter_reset_collision: warning(
    ['operation'],
    (operation) => `conflicting counter resets during histogram ${operation}`,
  ),
  start_time_overlap: warning(
    ['metric'],
    (metric) => `sample has start time that overlaps with previous sample timestamp for metric ${quoted(metric)}`,
  ),
  possible_non_counter: info(['metric'], (metric) => {
    const name = `name does not end in _total/_sum/_count/_bucket: ${quoted(metric)}`;
    return `metric might not be a counter, ${name}`;
  }),
  possible_non_counter_type: info(['metric', { label: '__type__' }], (metric, type) => {
    const label = `__type__ label is not set to "counter" or "histogram", got ${quoted(type)}: ${quoted(metric)}`;
    return `metric might not be a counter, ${label}`;
  }),
  forced_monotonicity: info(['metric'], (metric) => {
    const text =
      'input to histogram_quantile needed to be fixed for monotonicity ' +
      '(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)';
    return ofMetric(text, metric);
  }),
  incompatible_types: info(['sampleType', 'operator', 'sampleType'], (left, operator, right) => {
    const text = 'incompatible sample types encountered for binary operator';
    return `${text} ${quoted(operator)}: ${left} ${operator} ${right}`;
  }),
  ignored_in_aggregation: info(['aggregation'], (aggregation) => `ignored histogram in ${aggregation} aggregation`),
  ignored_in_mixed_range: info(['metric'], (metric) => {
    const mix = 'a range containing both floats and histograms';
    return `ignored histograms in ${mix} for metric name ${quoted(metric)}`;
  }),
  quantile_is_nan: info(['metric'], (metric) =>
    ofMetric('input to histogram_quantile has NaN observations, result is NaN', metric),
  ),
  quantile_is_skewed: info(['metric'], (metric) =>
    ofMetric('input to histogram_quantile has NaN observations, result is skewed higher', metric),
  ),
  fraction_has_nan: info(['metric'], (metric) =>
    ofMetric('input to histogram_fraction has NaN observations, which are excluded from all fractions', metric),
  ),
  custom_bounds_reconciled: info(
    ['operation'],
    (operation) => `mismatched custom buckets were reconciled during ${operation}`,
  ),
} as const satisfies Record<string, NoteShape>;

export type NoteCode = keyof typeof NOTES;

export function isNoteCode(code: string): code is NoteCode {
  return Object.hasOwn(NOTES, code);
}

export function noteLevel(code: NoteCode): 'warning' | 'info' {
  return NOTES[code].level;
}

/** What the arguments of such a note are, in order. */
export function argumentKinds(code: NoteCode): readonly ArgumentKind[] {
  return NOTES[code].arguments;
}

/** Whether these could be the arguments of such a note. */
export function areArguments(code: NoteCode, args: readonly NoteArgument[]): boolean {
  const kinds = argumentKinds(code);
  return args.length === kinds.length && kinds.every((kind, i) => isArgument(kind, args[i]!));
}

/** The note in Prometheus's words, without its position. */
export function noteText({ code, args }: { readonly code: NoteCode; readonly args: readonly NoteArgument[] }): string {
  const { level, text }: NoteShape = NOTES[code];
  return `PromQL ${level}: ${text(...args)}`;
}

function isArgument(kind: ArgumentKind, value: NoteArgument): boolean {
  if (kind === 'number') return typeof value === 'number';
  if (typeof value !== 'string') return false;
  if (kind === 'metric' || typeof kind === 'object') return true;
  return (WORDS[kind] as readonly string[]).includes(value);
}

function warning(kinds: readonly ArgumentKind[], text: NoteShape['text']): NoteShape {
  return { level: 'warning', arguments: kinds, text };
}

function info(kinds: readonly ArgumentKind[], text: NoteShape['text']): NoteShape {
  return { level: 'info', arguments: kinds, text };
}

function quoted(text: NoteArgument): string {
  return JSON.stringify(text);
}

/** Texts that name the metric only where it is known. */
function ofMetric(text: string, metric: NoteArgument): string {
  return metric === '' ? text : `${text} for metric name ${quoted(metric)}`;
}
