import { dataset, startOf, type Dataset } from './dataset.ts';
import { ALLOWED_KEYS, metricBatches, spanBatches } from './otlp-batches.ts';
import type { Peer } from './peer.ts';
import { collector, startComity, startPrometheus } from './peers.ts';
import { REMOTE_WRITE_HEADERS, REMOTE_WRITE_PATH, remoteWriteScrapes } from './remote-write-batches.ts';
import { measure, type Settings, type Workload } from './workload.ts';
import type { Row } from './row.ts';

const SERIES = 50_000;
const POINTS_PER_BATCH = 2_000;
const SPANS_PER_BATCH = 500;
const OTLP_HEADERS = { 'content-type': 'application/x-protobuf' };

/** W1: remote write of the data set, each request a batch of 2,000 samples, over 50,000 series. */
export async function remoteWriteIngest(settings: Settings, scrapes: number): Promise<Row[]> {
  const all = [...remoteWriteScrapes(data(settings, scrapes), scrapes)];
  const bodies = all.flatMap((scrape) => scrape.bodies);
  const load = ({ url }: Peer) => ({ url: url + REMOTE_WRITE_PATH, headers: REMOTE_WRITE_HEADERS, bodies });
  const workload: Workload = {
    workload: 'W1',
    what: 'remote write, samples',
    items: all.reduce((sum, { samples }) => sum + samples, 0),
    target: 4,
    peers: [
      { name: 'comity', start: startComity, load },
      { name: 'prometheus', start: startPrometheus, load },
    ],
  };
  return [await measure(workload, settings)];
}

/** W2: OTLP over HTTP with redaction on; metrics of the same data set, then spans. The Collector stores nothing. */
export async function otlpIngest(settings: Settings, scrapes: number): Promise<Row[]> {
  const metrics = metricBatches(data(settings, scrapes), scrapes, POINTS_PER_BATCH, startOf(scrapes));
  const spans = spanBatches(settings.seed, scrapes * 20, SPANS_PER_BATCH, Date.now());
  return [
    await measure(otlpWorkload('W2 metrics', 'OTLP data points, redacted', '/v1/metrics', metrics), settings),
    await measure(otlpWorkload('W2 spans', 'OTLP spans, redacted', '/v1/traces', spans), settings),
  ];
}

function otlpWorkload(
  workload: string,
  what: string,
  path: string,
  { bodies, items }: ReturnType<typeof spanBatches>,
): Workload {
  const load = ({ url }: Peer) => ({ url: url + path, headers: OTLP_HEADERS, bodies });
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

/** The last scrape is now. Fewer series would let a body overtake the one of the scrape before: the scale does not count. */
function data({ seed }: Settings, scrapes: number): Dataset {
  return dataset({ seed, series: SERIES, startMs: startOf(scrapes) });
}
