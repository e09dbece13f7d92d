import { seriesHandle, type SeriesHandle } from '../../model/batch.ts';
import type { BatchBuilder } from '../../model/batch-builder.ts';
import { withDomainLabel } from '../../model/labels.ts';
import { streamOf, type Stream } from '../../model/stream.ts';
import type { CollectContext } from './collect.ts';
import { reportLabels } from './sample-labels.ts';

/** What one scrape says about itself. */
export interface ScrapeReport {
  readonly up: boolean;
  readonly durationSeconds: number;
  readonly scraped: number;
  readonly kept: number;
  readonly added: number;
  /** Of the body after decompression; 0 when there is none, -1 when it is too large. */
  readonly bodyBytes: number;
}

/** The metrics about the scrapes of one target (https://prometheus.io/docs/concepts/jobs_instances/). */
export interface ReportSeries {
  /** The target as these series name it. */
  readonly stream: Stream;
  add(builder: BatchBuilder, timeMs: number, report: ScrapeReport): void;
  /** The target is gone. */
  addStale(builder: BatchBuilder, timeMs: number): void;
}

export function reportSeries(context: Omit<CollectContext, 'stream'>, timeoutMs: number): ReportSeries {
  const { job, labels, admission, domain, domainLabel } = context;

  function handle(metric: string): SeriesHandle {
    return seriesHandle(admission.series(withDomainLabel(reportLabels(metric, labels), domainLabel, domain)));
  }

  const up = handle('up');
  const metrics: [SeriesHandle, (report: ScrapeReport) => number][] = [
    [up, ({ up }) => (up ? 1 : 0)],
    [handle('scrape_duration_seconds'), ({ durationSeconds }) => durationSeconds],
    [handle('scrape_samples_scraped'), ({ scraped }) => scraped],
    [handle('scrape_samples_post_metric_relabeling'), ({ kept }) => kept],
    [handle('scrape_series_added'), ({ added }) => added],
  ];
  if (job.extraMetrics) {
    metrics.push(
      [handle('scrape_timeout_seconds'), () => timeoutMs / 1000],
      [handle('scrape_sample_limit'), () => job.sampleLimit],
      [handle('scrape_body_size_bytes'), ({ bodyBytes }) => bodyBytes],
    );
  }
  return {
    stream: streamOf(up.labels),
    add(builder, timeMs, report) {
      for (const [series, value] of metrics) builder.sample(builder.series(series), timeMs, value(report));
    },
    addStale(builder, timeMs) {
      for (const [series] of metrics) builder.stale(builder.series(series), timeMs);
    },
  };
}
