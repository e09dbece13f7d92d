import type { Logger } from 'pino';
import { toComityError, type ComityError } from '../../base/errors.ts';
import { batchBuilder, type BatchBuilder } from '../../model/batch-builder.ts';
import type { Appended } from '../../model/batch.ts';
import { hearSign, heardStream, silentTimes, type HeardTimes, type Sign } from '../../model/heard-times.ts';
import type { HeardStream } from '../../model/stream.ts';
import { parseExposition } from '../../wire/scrape/exposition.ts';
import type { ReceiverDeps } from '../receiver.ts';
import type { Exposition, ScrapeClient } from './client.ts';
import { collector, emptyCollected, type CollectContext, type Collected } from './collect.ts';
import type { ScrapeJob } from './job.ts';
import { reportSeries } from './report.ts';
import { seriesCache, type ForeignStream, type KeyTable, type ScrapeOutcome } from './series-cache.ts';
import type { Target } from './target.ts';

/** How a target was found the last time. */
export interface TargetHealth {
  readonly health: 'unknown' | 'up' | 'down';
  /** When its last scrape began; undefined before the first. */
  readonly lastScrapeMs: number | undefined;
  readonly lastDurationSeconds: number;
  readonly lastError: string | undefined;
}

/** Scrapes one target and stores what comes. Its calls must not overlap. */
export interface TargetScraper {
  /** One scrape, stored with `timeMs` as its time. Never throws; when `signal` is aborted, nothing is stored. */
  scrape(timeMs: number, signal: AbortSignal): Promise<void>;
  /** Marks all series of the target as stale: it is gone. */
  end(timeMs: number): Promise<void>;
  /** A reason why the target must not be asked: its scrapes fail with it. */
  forbid(reason: ComityError | undefined): void;
  health(): TargetHealth;
}

/** What the scrapers of all targets share. */
export interface ScrapeEnvironment {
  readonly deps: ReceiverDeps;
  readonly log: Logger;
  readonly keys: KeyTable;
}

interface Outcome {
  readonly error: ComityError | undefined;
  readonly collected: Collected;
  readonly bodyBytes: number;
  readonly builder: BatchBuilder;
}

/** `id` is the target's own number in the table of keys. */
export function targetScraper(
  target: Target,
  job: ScrapeJob,
  client: ScrapeClient,
  { deps, log, keys }: ScrapeEnvironment,
  id: number,
): TargetScraper {
  const { admission, domain, domainLabel, counters } = deps;
  const cache = seriesCache(keys, id);
  const base: Omit<CollectContext, 'stream'> = {
    job,
    labels: target.labels,
    admission,
    domain,
    domainLabel,
    cache,
    foreign: new Map(),
    metadata: new Map(),
  };
  const reports = reportSeries(base, target.timeoutMs);
  const context: CollectContext = { ...base, stream: reports.stream };
  const { native, keepClassic, toCustomBuckets } = target.histograms;
  const options = { keepClassic, toCustomBuckets, ignoreNative: !native, fallback: job.fallback };
  const about = { scrape_job: job.name, target: target.url };
  let forbidden: ComityError | undefined;
  let rowsBefore = 256;
  /** Producers beside the target whose samples came with the last scrape that did not fail. */
  let foreignNow: readonly ForeignStream[] = [];
  let last: TargetHealth = { health: 'unknown', lastScrapeMs: undefined, lastDurationSeconds: 0, lastError: undefined };

  /** Synchronous from the body to the batch. */
  function decode(exposition: Exposition, timeMs: number): Outcome {
    const builder = batchBuilder(rowsBefore + 16);
    const collected = emptyCollected(cache.scrape);
    const bodyBytes = exposition.body.length;
    try {
      const sink = collector(context, builder, collected, timeMs);
      parseExposition(exposition.body, exposition.contentType, options, sink);
      sink.finish();
      return { error: undefined, collected, bodyBytes, builder };
    } catch (error) {
      // Nothing of the scrape is stored, and what was counted is reported all the same.
      cache.discard();
      return { error: toComityError(error), collected, bodyBytes, builder: batchBuilder(rowsBefore + 16) };
    } finally {
      exposition.release();
    }
  }

  function failed(error: ComityError): Outcome {
    cache.discard();
    const bodyBytes = error.code === 'body_too_large' ? -1 : 0;
    return { error, collected: emptyCollected(cache.scrape), bodyBytes, builder: batchBuilder(rowsBefore + 16) };
  }

  function addMissing(builder: BatchBuilder, timeMs: number): void {
    for (const series of cache.missing()) builder.stale(builder.series(series.handle), timeMs);
  }

  async function store(builder: BatchBuilder, outcome: ScrapeOutcome): Promise<Appended | undefined> {
    try {
      const appended = await deps.append(builder.build());
      cache.next(outcome);
      return appended;
    } catch (error) {
      cache.next('lost');
      context.metadata = new Map();
      counters.rejected('scrape', 'metrics', toComityError(error).code, builder.rows);
      log.error({ ...about, err: error }, 'a scrape could not be stored, nothing of it was kept');
      return undefined;
    }
  }

  function tell({ error, collected }: Outcome, appended: Appended | undefined, timeMs: number): void {
    counters.answered('scrape', 'metrics', error === undefined ? '200' : error.code);
    const rejected = new Map<string, number>(collected.leftOut);
    if (error === undefined && collected.duplicates > 0) add(rejected, 'duplicate_timestamp', collected.duplicates);
    for (const [reason, { count }] of appended?.rejected ?? []) add(rejected, reason, count);
    for (const [reason, count] of rejected) counters.rejected('scrape', 'metrics', reason, count);
    if (rejected.size > 0) log.warn({ ...about, rejected: Object.fromEntries(rejected) }, 'samples were left out');
    if (error !== undefined) {
      const level = last.health === 'down' ? 'debug' : 'warn';
      log[level]({ ...about, reason: error.message }, 'the target could not be scraped');
    } else if (last.health === 'down') log.info(about, 'the target can be scraped again');
    if (appended !== undefined) counters.accepted('scrape', 'metrics', appended.stored + appended.repeated);
    if (appended === undefined || error !== undefined) {
      tellAbsence('down', timeMs);
      return;
    }
    // Where all samples have times of their own, those behind the scrape's, the next ones lie behind it as well.
    if (collected.heard.latestMs === -Infinity) hearSign(collected.heard, 'there', timeMs);
    for (const [key, { seenIn }] of context.foreign) if (seenIn !== collected.scrape) context.foreign.delete(key);
    foreignNow = [...context.foreign.values()];
    tellStreams(collected.heard, foreignNow);
  }

  /** Whatever else came with the target's own samples is as absent as the target. */
  function tellAbsence(sign: Sign, timeMs: number): void {
    const absent = silentTimes();
    hearSign(absent, sign, timeMs);
    tellStreams(
      absent,
      foreignNow.map(({ stream }) => ({ stream, ...absent })),
    );
  }

  function tellStreams(own: HeardTimes, foreign: readonly (HeardTimes & Pick<ForeignStream, 'stream'>)[]): void {
    const heard: HeardStream[] = [heardStream(context.stream, own)];
    for (const one of foreign) heard.push(heardStream(one.stream, one));
    deps.onStreams('metrics', heard, deps.now());
  }

  return {
    async scrape(timeMs, signal) {
      const startedMs = deps.now();
      const started = performance.now();
      let outcome: Outcome;
      try {
        if (forbidden !== undefined) throw forbidden;
        outcome = decode(await client.fetch(target.url, target.timeoutMs, signal), timeMs);
      } catch (error) {
        if (signal.aborted) return;
        outcome = failed(toComityError(error));
      }
      const { error, collected, bodyBytes, builder } = outcome;
      const durationSeconds = (performance.now() - started) / 1000;
      rowsBefore = builder.rows;
      const { scraped, kept, added } = collected;
      reports.add(builder, timeMs, { up: error === undefined, durationSeconds, scraped, kept, added, bodyBytes });
      // Last, for targets that expose an `up` of their own: where that is missing, the one about the scrape counts.
      addMissing(builder, timeMs);
      const appended = await store(builder, error === undefined ? 'filled' : 'failed');
      tell(outcome, appended, timeMs);
      last = {
        health: error === undefined ? 'up' : 'down',
        lastScrapeMs: startedMs,
        lastDurationSeconds: durationSeconds,
        lastError: error?.message ?? (appended === undefined ? 'the scrape could not be stored' : undefined),
      };
    },
    async end(timeMs) {
      const builder = batchBuilder();
      cache.discard();
      addMissing(builder, timeMs);
      reports.addStale(builder, timeMs);
      // Where the target is scraped anew by now, the markers are older than its samples and rejected, as they should be.
      await store(builder, 'failed');
      tellAbsence('ended', timeMs);
    },
    forbid(reason) {
      forbidden = reason;
    },
    health: () => last,
  };
}

function add(counts: Map<string, number>, reason: string, count: number): void {
  counts.set(reason, (counts.get(reason) ?? 0) + count);
}
