import { LIMITS } from '../../base/limits.ts';
import type { Admission } from '../../model/admission.ts';
import { NO_ID, NO_REF, NO_SHARD, seriesHandle, type LabelOwner, type SeriesHandle } from '../../model/batch.ts';
import type { HistogramLayout } from '../../model/histogram.ts';
import { METRIC_NAME, labelValue, withDomainLabel, type Labels } from '../../model/labels.ts';
import { scrapeMetric, silentTimes, type HeardTimes, type ScrapeMetric } from '../../model/heard-times.ts';
import { streamKey, streamOf, type Stream } from '../../model/stream.ts';
import { FORGOTTEN } from '../byte-table.ts';
import { isTooLong, quoted } from '../sender-text.ts';
import type { LeftOutReason } from './rejections.ts';

/** Where requests are received. */
export interface SeriesOptions {
  readonly domain: string;
  /** A sender's own label of this name is moved to `exported_<domainLabel>`. */
  readonly domainLabel: string;
  readonly admission: Admission;
}

/** What a label set on the wire comes to, made once and kept by its bytes: one object, of which there may be a million. */
export interface WireSeries extends SeriesHandle {
  /** Why the label set is not valid; then it is no series. */
  readonly fault: Fault | undefined;
  readonly family: Family;
  readonly producer: Producer;
  /** The buckets that its native histograms had last, to be shared. */
  layout: HistogramLayout | undefined;
  /** Where its bytes are kept, or `FORGOTTEN`. */
  place: number;
}

export interface Fault {
  readonly reason: LeftOutReason;
  readonly detail: string;
}

/** A metric name, with what the request that is being read has said of it. */
export interface Family {
  readonly metric: string;
  readonly scrapeMetric: ScrapeMetric;
  /** The request that told the rest. */
  request: number;
  type: number;
  help: string;
  unit: string;
}

/** A producer, and the request that it was heard in last, with the times of its samples in that one. */
export interface Producer extends HeardTimes {
  readonly stream: Stream;
  request: number;
}

/**
 * Makes series of label sets: names and values in turn, in any order; undefined for a text that is not UTF-8. Equal
 * producers and metric names share an object. An empty value is an absent label. `owner` can read the labels again.
 */
export type SeriesMaker = (pairs: readonly (string | undefined)[], owner?: LabelOwner) => WireSeries;

export function seriesMaker(options: SeriesOptions): SeriesMaker {
  const producers = new Map<string, Producer>();
  const families = new Map<string, Family>();

  return (pairs, owner) => {
    const checked = checkedLabels(pairs);
    if ('reason' in checked) return faulty(checked);
    const own = withDomainLabel(checked.labels, options.domainLabel, options.domain);
    if (own.length / 2 > LIMITS.labelsPerSeries) return faulty(tooManyLabels(own.length / 2));
    const labels = options.admission.series(own);
    const stream = streamOf(labels);
    return {
      labels,
      ref: NO_REF,
      id: NO_ID,
      shard: NO_SHARD,
      owner,
      fault: undefined,
      family: shared(families, checked.metric, LIMITS.metadataFamilies, () => familyOf(checked.metric)),
      producer: shared(producers, streamKey(stream), LIMITS.streams, () => producerOf(stream)),
      layout: undefined,
      place: FORGOTTEN,
    };
  };
}

/** Labels of an exemplar as they are stored, or why they cannot be. */
export function exemplarLabels(
  pairs: readonly (string | undefined)[],
  admission: Admission,
): { readonly labels: Labels } | Fault {
  const checked = sortedLabels(pairs);
  if ('reason' in checked) return checked;
  const labels = admission.exemplar(checked.labels);
  let bytes = 0;
  for (const text of labels) bytes += Buffer.byteLength(text);
  if (bytes <= LIMITS.exemplarLabelBytes) return { labels };
  const detail = `its labels have ${bytes} bytes, ${LIMITS.exemplarLabelBytes} are allowed`;
  return { reason: 'bad_exemplar', detail };
}

export function tooManyLabels(count: number): Fault {
  return { reason: 'too_many_labels', detail: `${count} labels or more, the limit is ${LIMITS.labelsPerSeries}` };
}

/** What a faulty label set comes to. */
export function faulty(fault: Fault): WireSeries {
  return {
    ...seriesHandle([]),
    fault,
    family: NO_FAMILY,
    producer: NO_PRODUCER,
    layout: undefined,
    place: FORGOTTEN,
  };
}

const NO_FAMILY = familyOf('');
const NO_PRODUCER = producerOf({ job: '', instance: '' });

function familyOf(metric: string): Family {
  return { metric, scrapeMetric: scrapeMetric(metric), request: -1, type: 0, help: '', unit: '' };
}

function producerOf(stream: Stream): Producer {
  return { stream, request: -1, ...silentTimes() };
}

/** The rules of Prometheus's receiver: a metric name, names that are not empty, none of them twice, all of it UTF-8. */
function checkedLabels(
  pairs: readonly (string | undefined)[],
): { readonly labels: Labels; readonly metric: string } | Fault {
  const checked = sortedLabels(pairs);
  if ('reason' in checked) return checked;
  const metric = labelValue(checked.labels, METRIC_NAME);
  if (metric !== '') return { labels: checked.labels, metric };
  return { reason: 'bad_metric_name', detail: `no metric name in ${quoted(checked.labels.join(' '))}` };
}

/** Senders sort their labels, so that each is put at the end at once. */
function sortedLabels(pairs: readonly (string | undefined)[]): { readonly labels: Labels } | Fault {
  const sorted: string[] = [];
  let hasEmpty = false;
  for (let i = 0; i < pairs.length; i += 2) {
    const name = pairs[i];
    const value = pairs[i + 1];
    if (name === undefined) return { reason: 'bad_label', detail: `the name of label ${i / 2 + 1} is not valid UTF-8` };
    if (name === '') return { reason: 'bad_label', detail: `label ${i / 2 + 1} has no name` };
    if (value === undefined) return { reason: 'bad_label', detail: `the value of ${quoted(name)} is not valid UTF-8` };
    if (isTooLong(name) || isTooLong(value)) {
      const detail = `the label ${quoted(name)} is longer than ${LIMITS.labelBytes} bytes`;
      return { reason: 'label_too_long', detail };
    }
    let at = sorted.length;
    while (at > 0 && sorted[at - 2]! > name) at -= 2;
    if (at > 0 && sorted[at - 2] === name) {
      return { reason: 'duplicate_label', detail: `the label ${quoted(name)} is there twice` };
    }
    if (at === sorted.length) sorted.push(name, value);
    else sorted.splice(at, 0, name, value);
    hasEmpty ||= value === '';
  }
  return { labels: hasEmpty ? withoutEmpty(sorted) : sorted };
}

function withoutEmpty(labels: Labels): Labels {
  return labels.filter((_text, i) => labels[i | 1] !== '');
}

function shared<T>(map: Map<string, T>, key: string, limit: number, make: () => T): T {
  const known = map.get(key);
  if (known !== undefined) return known;
  // Sharing saves memory and work and nothing else, so that starting over is safe.
  if (map.size >= limit) map.clear();
  const made = make();
  map.set(key, made);
  return made;
}
