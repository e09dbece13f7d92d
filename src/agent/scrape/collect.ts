import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import type { Admission } from '../../model/admission.ts';
import type { Metadata } from '../../model/batch.ts';
import type { BatchBuilder } from '../../model/batch-builder.ts';
import type { NativeHistogram } from '../../model/histogram.ts';
import { hearTime, resetTimes, silentTimes, type HeardTimes } from '../../model/heard-times.ts';
import { withDomainLabel, type Labels } from '../../model/labels.ts';
import { streamKey, streamOf, type Stream } from '../../model/stream.ts';
import type { ExposedSeries, ExpositionSink } from '../../wire/scrape/exposition.ts';
import { isTooLong } from '../../wire/sender-text.ts';
import type { ScrapeJob } from './job.ts';
import { sampleLabels } from './sample-labels.ts';
import type { ForeignStream, KnownKey, SeriesCache } from './series-cache.ts';

/** How series of one target become those of the store. */
export interface CollectContext {
  readonly job: ScrapeJob;
  /** The labels of the target. */
  readonly labels: Labels;
  readonly admission: Admission;
  readonly domain: string;
  readonly domainLabel: string;
  readonly cache: SeriesCache;
  /** The target, as its series are stored. */
  readonly stream: Stream;
  /** By key, producers that are not the target and whose series it exposes. */
  readonly foreign: Map<string, ForeignStream>;
  /** What was last stored of each metric family. */
  metadata: ReadonlyMap<string, Metadata>;
}

/** What came of an exposition so far, as Prometheus counts it. */
export interface Collected {
  /** The number of the scrape, of its target's. */
  readonly scrape: number;
  /** Samples exposed. */
  scraped: number;
  /** Those that relabelling left. */
  kept: number;
  /** Series that came for the first time. */
  added: number;
  /** Samples of a series that came twice without a time of its own: only the first counts. */
  duplicates: number;
  /** Of the samples that were taken. */
  readonly heard: HeardTimes;
  /** Samples and exemplars past a limit of the agent, by reason. */
  readonly leftOut: Map<string, number>;
}

export function emptyCollected(scrape: number): Collected {
  return { scrape, scraped: 0, kept: 0, added: 0, duplicates: 0, heard: silentTimes(), leftOut: new Map() };
}

/**
 * Takes what a parser finds into a batch. `timeMs` is the scrape's. A sink throws `bad_data` and `limit` for what fails the
 * whole scrape; more samples than `sample_limit` do so in `finish`, so that all of them are counted.
 */
export function collector(
  context: CollectContext,
  builder: BatchBuilder,
  collected: Collected,
  timeMs: number,
): ExpositionSink & { finish(): void } {
  const { job, cache, admission } = context;
  const { scrape } = cache;
  const families = new Map<string, Metadata>();
  let taken = 0;
  let pastLimit = false;
  /** Where exemplars belong: the last sample's series in the batch, or nowhere. */
  let lastSeries = NOWHERE;
  let lastTimeMs = 0;
  let lastIsHistogram = false;

  /** Whether the sample is to be stored; then its series is `lastSeries`, and its time `lastTimeMs`. */
  function take(exposed: ExposedSeries, ownTimeMs: number | undefined): boolean {
    collected.scraped++;
    lastSeries = NOWHERE;
    const known = cache.find(exposed);
    const key = known ?? admit(context, exposed, collected);
    if (key?.series === undefined) return false;
    collected.kept++;
    const sampleTimeMs = job.honorTimestamps ? ownTimeMs : undefined;
    const again = key.seenIn === scrape;
    key.seenIn = scrape;
    if (again && sampleTimeMs === undefined) {
      collected.duplicates++;
      return false;
    }
    taken++;
    if (job.sampleLimit > 0 && taken > job.sampleLimit) {
      pastLimit = true;
      return false;
    }
    if (taken > LIMITS.samplesPerRequest) {
      throw new ComityError(
        'limit',
        `the target exposes more than ${LIMITS.samplesPerRequest} samples (samplesPerRequest)`,
      );
    }
    if (known === undefined && !pastLimit) collected.added++;
    cache.seen(key.series, sampleTimeMs === undefined || job.trackTimestampsStaleness);
    lastSeries = builder.series(key.series.handle);
    lastTimeMs = sampleTimeMs ?? timeMs;
    hearTime(collected.heard, lastTimeMs);
    if (key.series.foreign !== undefined) hearForeign(key.series.foreign, scrape, lastTimeMs);
    return true;
  }

  return {
    sample(exposed, value, ownTimeMs, startMs) {
      lastIsHistogram = false;
      if (!take(exposed, ownTimeMs)) return;
      // NaN anew: the one off the wire may have the bits of a staleness marker.
      builder.sample(lastSeries, lastTimeMs, value === value ? value : Number.NaN, undefined, startMs);
    },
    histogram(exposed, histogram, ownTimeMs, startMs) {
      lastIsHistogram = true;
      if (!take(exposed, ownTimeMs)) return;
      builder.histogram(lastSeries, lastTimeMs, plainSum(histogram), undefined, startMs);
    },
    exemplar(labels, value, ownTimeMs) {
      // Those of native histograms must say when they were, as in Prometheus.
      if (lastSeries === NOWHERE || (lastIsHistogram && ownTimeMs === undefined)) return;
      const admitted = admission.exemplar(labels);
      if (admitted.reduce((sum, text) => sum + Buffer.byteLength(text), 0) > LIMITS.exemplarLabelBytes) {
        leaveOut(collected, 'exemplar_labels');
        return;
      }
      builder.exemplar({ series: lastSeries, timeMs: ownTimeMs ?? lastTimeMs, value, labels: admitted });
    },
    metadata(metadata) {
      if (families.has(metadata.metric) || families.size < FAMILIES_PER_TARGET) families.set(metadata.metric, metadata);
    },
    finish() {
      if (pastLimit) {
        throw new ComityError('limit', `the target exposes ${taken} samples, sample_limit is ${job.sampleLimit}`);
      }
      for (const [metric, metadata] of families) {
        const before = context.metadata.get(metric);
        if (before === undefined || !sameMetadata(before, metadata)) builder.metadata(metadata);
      }
      context.metadata = families;
    },
  };
}

const NOWHERE = -1;

/** A target with more families than this is a farm of its own; the metadata of the rest is not kept. */
const FAMILIES_PER_TARGET = 10_000;

/** A series that was not seen before. Undefined for one that is past a limit of the agent: it is not worth remembering. */
function admit(context: CollectContext, exposed: ExposedSeries, collected: Collected): KnownKey | undefined {
  const { cache, job } = context;
  const labels = sampleLabels(exposed, context.labels, job);
  if (labels === undefined) return cache.add(exposed, undefined);
  const stored = context.admission.series(withDomainLabel(labels, context.domainLabel, context.domain));
  const reason = pastLimit(stored);
  if (reason === undefined) return cache.add(exposed, stored, foreignOf(context, stored));
  leaveOut(collected, reason);
  return undefined;
}

/** Of a farm of producers behind one target, past so many the rest is not known by name. */
const FOREIGN_PER_TARGET = 10_000;

function foreignOf({ stream, foreign }: CollectContext, labels: Labels): ForeignStream | undefined {
  const named = streamOf(labels);
  if (named.job === stream.job && named.instance === stream.instance) return undefined;
  const key = streamKey(named);
  let known = foreign.get(key);
  if (known === undefined && foreign.size < FOREIGN_PER_TARGET) {
    known = { stream: named, seenIn: 0, ...silentTimes() };
    foreign.set(key, known);
  }
  return known;
}

function hearForeign(foreign: ForeignStream, scrape: number, timeMs: number): void {
  if (foreign.seenIn !== scrape) resetTimes(foreign);
  foreign.seenIn = scrape;
  hearTime(foreign, timeMs);
}

function pastLimit(labels: Labels): string | undefined {
  if (labels.length / 2 > LIMITS.labelsPerSeries) return 'too_many_labels';
  return labels.some(isTooLong) ? 'label_too_long' : undefined;
}

function leaveOut(collected: Collected, reason: string): void {
  collected.leftOut.set(reason, (collected.leftOut.get(reason) ?? 0) + 1);
}

function plainSum(histogram: NativeHistogram): NativeHistogram {
  return histogram.sum === histogram.sum ? histogram : { ...histogram, sum: Number.NaN };
}

function sameMetadata(a: Metadata, b: Metadata): boolean {
  return a.type === b.type && a.help === b.help && a.unit === b.unit;
}
