import { ComityError } from '../../src/base/errors.ts';
import type { Metadata } from '../../src/model/batch.ts';
import type { NativeHistogram } from '../../src/model/histogram.ts';
import { labelsRecord } from '../../src/model/labels.ts';
import { parseExposition, type ExposedSeries, type ParseOptions } from '../../src/wire/scrape/exposition.ts';

export const TEXT = 'text/plain; version=0.0.4';
export const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
export const PROTOBUF = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';

/** A sample as an exposition gave it. */
export interface Row {
  readonly labels: Record<string, string>;
  readonly emptyNames: readonly string[];
  readonly value: number | NativeHistogram;
  readonly timeMs: number | undefined;
  readonly startMs: number;
  readonly exemplars: { labels: Record<string, string>; value: number; timeMs: number | undefined }[];
  readonly key: string;
}

export interface Exposed {
  readonly rows: readonly Row[];
  readonly metadata: readonly Metadata[];
  /** The message of the error that the body was refused with. */
  readonly error: string | undefined;
}

export const PLAIN: ParseOptions = { keepClassic: false, toCustomBuckets: false };

/** What a body holds. Any error but a refusal of the body is thrown. */
export function expose(body: Uint8Array | string, contentType = TEXT, options: ParseOptions = PLAIN): Exposed {
  const rows: Row[] = [];
  const metadata: Metadata[] = [];
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  try {
    parseExposition(bytes, contentType, options, {
      sample: (series, value, timeMs, startMs) => {
        const { key } = series;
        expectSameKey(key, series.bytes, series.start, series.end);
        rows.push({ ...described(series), value, timeMs, startMs, exemplars: [], key });
      },
      histogram: (series, value, timeMs, startMs) => {
        const { key } = series;
        expectSameKey(key, series.bytes, series.start, series.end);
        // Its counts are used again by the next one.
        const kept = { ...value, positive: value.positive.slice(), negative: value.negative.slice() };
        rows.push({ ...described(series), value: kept, timeMs, startMs, exemplars: [], key });
      },
      exemplar: (labels, value, timeMs) => {
        rows.at(-1)?.exemplars.push({ labels: labelsRecord(labels), value, timeMs });
      },
      metadata: (one) => void metadata.push(one),
    });
  } catch (error) {
    if (!(error instanceof ComityError) || error.code !== 'bad_data') throw error;
    return { rows, metadata, error: error.message };
  }
  return { rows, metadata, error: undefined };
}

function described(series: ExposedSeries): Pick<Row, 'labels' | 'emptyNames'> {
  return { labels: labelsRecord(series.labels()), emptyNames: series.emptyNames() };
}

/** A row in one line: `name{labels} value @time`. */
export function shown({ labels, value, timeMs }: Row): string {
  const { __name__: name = '', ...others } = labels;
  const pairs = Object.entries(others).map(([label, text]) => `${label}=${text}`);
  return `${name}{${pairs.join(',')}} ${typeof value === 'number' ? shownNumber(value) : shownHistogram(value)}${timeMs === undefined ? '' : ` @${timeMs}`}`;
}

/** Buckets as `index:count`, those without observations left out. */
export function shownHistogram(histogram: NativeHistogram): string {
  const { layout } = histogram;
  const side = (indexes: Int32Array, counts: Float64Array) =>
    Array.from(indexes, (index, i) => `${index}:${counts[i]}`)
      .filter((text) => !text.endsWith(':0'))
      .join(' ');
  return `schema=${layout.schema} hint=${histogram.hint} count=${histogram.count} sum=${histogram.sum} zero=${layout.zeroThreshold}:${histogram.zeroCount} [${side(layout.positive, histogram.positive)}] [${side(layout.negative, histogram.negative)}] (${layout.bounds.join(' ')})`;
}

function shownNumber(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function expectSameKey(key: string, bytes: Uint8Array, start: number, end: number): void {
  const own = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1', start, end);
  if (own !== key)
    throw new Error(`the key ${JSON.stringify(key)} is not what stands in the bytes: ${JSON.stringify(own)}`);
}
