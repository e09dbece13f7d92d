import { dataset } from './dataset.ts';
import { ALLOWED_KEYS, metricBatches, spanBatches } from './otlp-batches.ts';
import { collector, startComity, startPrometheus } from './peers.ts';
import { remoteWriteBatches } from './remote-write-batches.ts';
import type { Workload } from './workload.ts';

const SERIES = 50_000;
const SAMPLES_PER_BATCH = 2_000;
const SPANS_PER_BATCH = 500;
const INTERVAL_MS = 15_000;
const OTLP_HEADERS = { 'content-type': 'application/x-protobuf' };

/** W1: remote write of the data set, each request a batch of 2,000 samples, over 50,000 series. */
export function remoteWriteIngest(seed: number, scrapes: number): Workload {
  const { bodies, samples } = remoteWriteBatches(data(seed, scrapes), scrapes, SAMPLES_PER_BATCH);
  const headers = {
    'content-type': 'application/x-protobuf',
    'content-encoding': 'snappy',
    'x-prometheus-remote-write-version': '0.1.0',
  };
  const load = ({ url }: { readonly url: string }) => ({ url: `${url}/api/v1/write`, headers, bodies });
  return {
    workload: 'W1',
    what: 'remote write, samples',
    items: samples,
    target: 4,
    peers: [
      { name: 'comity', start: startComity, load },
      { name: 'prometheus', start: startPrometheus, load },
    ],
  };
}

/** W2: OTLP over HTTP with redaction on; metrics of the same data set, then spans. The Collector stores nothing. */
export function otlpIngest(seed: number, scrapes: number): Workload[] {
  const metrics = metricBatches(data(seed, scrapes), scrapes, SAMPLES_PER_BATCH, firstScrape(scrapes));
  const spans = spanBatches(seed, scrapes * 20, SPANS_PER_BATCH, Date.now());
  return [
    otlpWorkload('W2 metrics', 'OTLP data points, redacted', '/v1/metrics', metrics),
    otlpWorkload('W2 spans', 'OTLP spans, redacted', '/v1/traces', spans),
  ];
}

function otlpWorkload(
  workload: string,
  what: string,
  path: string,
  { bodies, items }: ReturnType<typeof spanBatches>,
): Workload {
  const load = ({ url }: { readonly url: string }) => ({ url: url + path, headers: OTLP_HEADERS, bodies });
  return {
    workload,
    what,
    items,
    target: 1,
    peers: [
      { name: 'comity', start: startComity, load },
      { name: 'collector', start: collector(ALLOWED_KEYS), load },
    ],
  };
}

/** The last scrape is now. */
function firstScrape(scrapes: number): number {
  return Date.now() - scrapes * INTERVAL_MS;
}

function data(seed: number, scrapes: number): ReturnType<typeof dataset> {
  return dataset(seed, SERIES, firstScrape(scrapes));
}
