import { LIMITS } from '../../base/limits.ts';
import { ADD_ONCE, SET, type Metadata, type MetricType } from '../../model/batch.ts';
import { scrapeMetric, type ScrapeMetric } from '../../model/heard-times.ts';
import { isTooLong, quoted } from '../sender-text.ts';
import { TEMPORALITY_CUMULATIVE, TEMPORALITY_DELTA } from './messages.ts';
import { metricName, unitName, type NameKind } from './names.ts';
import type { PointRejectReason } from './rejections.ts';

/** The kinds of an OTLP metric's points. */
export type PointKind = 'gauge' | 'sum' | 'histogram' | 'exponential' | 'summary';

/** What the points of one metric have in common, whatever their resource. */
export interface MetricFamily {
  readonly kind: PointKind;
  /** The metric's name in Prometheus, without the suffixes of histograms and summaries. */
  readonly name: string;
  /** How values join their series, as in `Batch.modes`. */
  readonly mode: number;
  readonly metadata: Metadata;
  readonly scrapeMetric: ScrapeMetric;
  /** The sender's name, for messages. */
  readonly shownName: string;
  /** Why none of its points can be stored. */
  readonly fault: { readonly reason: PointRejectReason; readonly detail: string } | undefined;
}

/** What of a metric decides on its family. */
export interface MetricHeader {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  readonly kind: PointKind;
  /** 1 for delta, 2 for cumulative; kinds that have none pass undefined. */
  readonly temporality: number | undefined;
  readonly isMonotonic: boolean;
}

export function metricFamily(header: MetricHeader): MetricFamily {
  const { kind, temporality } = header;
  const mode = temporality === undefined || temporality === TEMPORALITY_CUMULATIVE ? SET : ADD_ONCE;
  const name =
    isTooLong(header.name) || isTooLong(header.unit)
      ? undefined
      : metricName(header.name, header.unit, nameKind(header));
  let fault: MetricFamily['fault'];
  if (mode === ADD_ONCE && temporality !== TEMPORALITY_DELTA) {
    fault = {
      reason: 'bad_temporality',
      detail: 'the aggregation temporality must be delta (1) or cumulative (2)',
    };
  } else if (name === undefined || isTooLong(`${name}_bucket`)) {
    const detail = `name and unit make no metric name of at most ${LIMITS.labelBytes} bytes`;
    fault = { reason: 'bad_metric_name', detail };
  }
  const metric = name ?? '';
  const unit = isTooLong(header.unit) ? '' : unitName(header.unit);
  const metadata = { metric, type: typeOf(header), help: cutBytes(header.description, LIMITS.helpBytes), unit };
  return {
    kind,
    name: metric,
    mode,
    metadata,
    scrapeMetric: scrapeMetric(metric),
    shownName: `metric ${quoted(header.name)}`,
    fault,
  };
}

function nameKind({ kind, isMonotonic }: MetricHeader): NameKind {
  if (kind === 'gauge') return 'gauge';
  return kind === 'sum' && isMonotonic ? 'counter' : 'other';
}

function typeOf({ kind, isMonotonic }: MetricHeader): MetricType {
  switch (kind) {
    case 'gauge':
      return 'gauge';
    case 'sum':
      return isMonotonic ? 'counter' : 'gauge';
    case 'histogram':
    case 'exponential':
      return 'histogram';
    case 'summary':
      return 'summary';
  }
}

/** The start of a text in at most `bytes` bytes of UTF-8, in whole characters. */
function cutBytes(text: string, bytes: number): string {
  if (text.length * 3 <= bytes) return text;
  const encoded = Buffer.from(text);
  if (encoded.length <= bytes) return text;
  let end = bytes;
  while (end > 0 && (encoded[end]! & 0xc0) === 0x80) end--;
  return encoded.toString('utf8', 0, end);
}
