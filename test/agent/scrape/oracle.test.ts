import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { startScraper, type Scraper } from '../../../src/agent/scrape/scraper.ts';
import { isHistogramAt } from '../../../src/model/histogram.ts';
import { labelsRecord } from '../../../src/model/labels.ts';
import { isStaleAt } from '../../../src/model/series.ts';
import { findOracle } from '../../oracle/oracle.ts';
import { jobsOf, memory, STALE, startExporter, until, type Exporter, type Memory, type Row } from './harness.ts';
import { sorted, startScrapingOracle, type ScrapingOracle } from './prometheus.ts';

/** Everything here asks a real Prometheus 3.15. */
const program = await findOracle();
if (program === undefined) console.warn('skipped: scraping beside Prometheus (no Prometheus 3.15 here)');

/** Labels, then the distinct samples: with their times where the exporter gave them. */
type Stored = Map<string, Set<string>>;

const OWN_TIME_MS = Date.now() - 60_000;

const PLAIN = `# TYPE plain counter
plain{x="1"} 1
plain{x="2",job="own",exported_job="e",zone="inner"} 2.5
plain{y="2",x="3"} NaN
plain{x="3",y="2"} NaN
dup{x="1"} 1
dup{x="1"} 2
pushed{instance="",x="4"} 1
timed{x="1"} 5 ${OWN_TIME_MS}
timed{x="1"} 6 ${OWN_TIME_MS + 1000}
timed{x="1"} 7 ${OWN_TIME_MS + 500}
Upper{Mixed="CaSe",long_label_name="ü-ü"} +Inf
{"with.dots", "la.bel"="v"} 1
# TYPE hist histogram
hist_bucket{le="1"} 1
hist_bucket{le="2.5"} 3
hist_bucket{le="+Inf"} 4
hist_sum 7
hist_count 4
up 17
`;

const OPEN_METRICS = `# TYPE om counter
# UNIT om_seconds seconds
om_total{x="1"} 1 # {trace_id="abc"} 1
om_created{x="1"} 1700000000
# TYPE state stateset
state{state="on"} 1
# TYPE s summary
s{quantile="0.5"} 1
s_sum 2
s_count 3
# EOF
`;

const JOBS: Record<string, object> = {
  plain: {},
  honor_labels: { honor_labels: true },
  no_timestamps: { honor_timestamps: false },
  tracked: { track_timestamps_staleness: true },
  nhcb: { convert_classic_histograms_to_nhcb: true },
  nhcb_and_classic: { convert_classic_histograms_to_nhcb: true, always_scrape_classic_histograms: true },
  sample_limit: { sample_limit: 5 },
  sample_limit_met: { sample_limit: 18 },
  label_limit: { label_limit: 4 },
  name_limit: { label_name_length_limit: 10 },
  value_limit: { label_value_length_limit: 5 },
  body_limit: { body_size_limit: '100B' },
  extra: { extra_scrape_metrics: true },
  metric_relabel: {
    metric_relabel_configs: [
      { source_labels: ['__name__'], regex: 'hist_.*', action: 'drop' },
      { source_labels: ['Mixed'], target_label: 'lower', action: 'lowercase' },
      { source_labels: ['x', 'instance'], target_label: 'shard', modulus: 5, action: 'hashmod' },
      { regex: '(.*)ixed', replacement: 'mapped_$1', action: 'labelmap' },
      { regex: 'y|zone', action: 'labeldrop' },
      { source_labels: ['__name__'], regex: 'timed', target_label: '__name__', replacement: 'renamed' },
    ],
  },
  drop_all: { metric_relabel_configs: [{ action: 'drop', regex: '.*' }] },
  target_relabel: {
    relabel_configs: [
      { regex: 'job', action: 'labeldrop' },
      { target_label: 'instance', replacement: 'one' },
      { target_label: '__convert_classic_histograms_to_nhcb__', replacement: 'true' },
    ],
  },
};

describe.skipIf(program === undefined)('scraping beside Prometheus', () => {
  const exporters: Exporter[] = [];
  let oracle: ScrapingOracle;
  let scraper: Scraper;
  let store: Memory;

  beforeAll(async () => {
    exporters.push(
      await startExporter(PLAIN),
      await startExporter((_, response) => {
        response
          .setHeader('content-type', 'application/openmetrics-text; version=1.0.0; charset=utf-8')
          .end(OPEN_METRICS);
      }),
    );
    const static_configs = exporters.map(({ address }, i) => ({ targets: [address], labels: { zone: `z${i}` } }));
    const jobs = Object.entries(JOBS).map(([job_name, fields]) => ({ job_name, static_configs, ...fields }));
    oracle = await startScrapingOracle(stringify({ global: { scrape_interval: '2s' }, scrape_configs: jobs }));
    const self = {
      job_name: 'self',
      scrape_native_histograms: true,
      static_configs: [{ targets: [new URL(oracle.url).host] }],
    };
    // Prometheus scrapes itself, too, but for that it has to know its port: it is told by a second configuration.
    const text = stringify({ global: { scrape_interval: '2s' }, scrape_configs: [...jobs, self] });
    await oracle.configure(text);
    store = memory();
    scraper = await startScraper(jobsOf(text), store.deps);
    await until(() => store.rows.filter(({ name }) => name === 'up').length > 110, 'some scrapes', 40_000);
    for (let count = 0; count < 110;) {
      const answer = await oracle.api<{ result: { value: [number, string] }[] }>('query', {
        query: 'sum(count_over_time(up[1h]))',
      });
      count = Number(answer.result[0]?.value[1] ?? 0);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }, 60_000);

  afterAll(async () => {
    await scraper?.close();
    await oracle?.close();
    for (const exporter of exporters) await exporter.close();
  });

  test.each(Object.keys(JOBS))('%s', async (job) => {
    const theirs = await storedByOracle(oracle, job);
    const ours = storedByUs(store.rows, job);
    expect(sortedEntries(ours)).toEqual(sortedEntries(theirs));
    expect(ours.size).toBeGreaterThan(5);
  });

  test('itself, by protobuf', async () => {
    // Its metrics grow while it answers: until both have seen the same.
    const names = async (): Promise<[string[], string[]]> => {
      const { result } = await oracle.api<{ result: { metric: Record<string, string> }[] }>('query', {
        query: '{job="self"}',
      });
      const last = store.batches.findLast((batch) => batch.series.some(({ labels }) => labels.includes('self')))!;
      const live = last.series.filter(
        (_, i) => !Array.from(last.seriesOf).every((of, row) => of !== i || isMarked(row)),
      );
      function isMarked(row: number): boolean {
        return !isHistogramAt(last.histograms, row) && isStaleAt(last.values, row);
      }
      return [
        live.map(({ labels }) => sorted(withoutDomain(labelsRecord(labels)))).sort(),
        result.map(({ metric }) => sorted(metric)).sort(),
      ];
    };
    let [ours, theirs] = await names();
    for (let tries = 0; tries < 40 && JSON.stringify(ours) !== JSON.stringify(theirs); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      [ours, theirs] = await names();
    }
    expect(ours).toEqual(theirs);
    expect(ours.length).toBeGreaterThan(300);
    expect(store.batches.some((batch) => batch.histograms !== undefined)).toBe(true);
  });

  test('a series that goes, a target that fails', async () => {
    const [first] = exporters;
    first!.answer = PLAIN.replace(/^plain\{x="1"\}.*\n/m, '');
    const gone = { instance: first!.address, job: 'plain', x: '1', zone: 'z0' };
    const isGone = (): boolean =>
      store.rows.some(
        ({ name, labels, value }) =>
          name === 'plain' && value === STALE && labels['x'] === '1' && labels['job'] === 'plain',
      );
    await until(isGone, 'our marker');
    await eventually(async () => (await instant(oracle, `plain{job="plain",x="1",zone="z0"}`)) === 0, 'their marker');
    expect(store.rows.find(({ value, labels }) => value === STALE && labels['job'] === 'plain')!.labels).toEqual({
      domain: 'eu',
      ...gone,
    });
    first!.answer = (_, response) => void response.writeHead(503).end();
    await eventually(
      async () => (await instant(oracle, `{job="plain",zone="z0",__name__!~"up|scrape_.*|timed"}`)) === 0,
      'their failure',
    );
    await until(
      () => store.rows.findLast(({ labels, name }) => name === 'Upper' && labels['job'] === 'plain')!.value === STALE,
      'ours',
    );
    const latest = new Map<string, Row>();
    for (const row of store.rows)
      if (row.labels['job'] === 'plain') latest.set(sorted({ ...row.labels, __name__: row.name }), row);
    const left = [...latest.values()].filter(({ value, labels }) => value !== STALE && labels['zone'] === 'z0');
    expect(new Set(left.map(({ name }) => name))).toEqual(
      new Set([
        'timed',
        'up',
        'scrape_duration_seconds',
        'scrape_samples_scraped',
        'scrape_samples_post_metric_relabeling',
        'scrape_series_added',
      ]),
    );
  });
});

async function eventually(ready: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await ready())) {
    if (Date.now() > deadline) throw new Error(`${what} did not come`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** How many series a selector gives now. */
async function instant(oracle: ScrapingOracle, query: string): Promise<number> {
  const { result } = await oracle.api<{ result: unknown[] }>('query', { query });
  return result.length;
}

async function storedByOracle(oracle: ScrapingOracle, job: string): Promise<Stored> {
  interface Series {
    readonly metric: Record<string, string>;
    readonly values?: [number, string][];
    readonly histograms?: [number, { count: string; sum: string }][];
  }
  const { result } = await oracle.api<{ result: Series[] }>('query', { query: selector(job) });
  const stored: Stored = new Map();
  for (const { metric, values = [], histograms = [] } of result) {
    for (const [time, value] of values) add(stored, metric, Math.round(time * 1000), value);
    for (const [time, { count, sum }] of histograms) add(stored, metric, Math.round(time * 1000), `${count}/${sum}`);
  }
  return stored;
}

function storedByUs(rows: readonly Row[], job: string): Stored {
  const stored: Stored = new Map();
  for (const { name, labels, timeMs, value } of rows) {
    if (!isOfJob(labels, job)) continue;
    const text =
      typeof value === 'object' ? `${value.count}/${value.sum}` : value === Infinity ? '+Inf' : String(value);
    add(stored, { ...withoutDomain(labels), __name__: name }, timeMs, text);
  }
  return stored;
}

/** One job has its name taken away by relabelling; its instance tells it. */
function selector(job: string): string {
  if (job === 'target_relabel') return '{instance="one"}[1h]';
  return job === 'honor_labels'
    ? `{job=~"honor_labels|own",exported_job!="x",zone=~"inner|z.",instance!="one"}[1h]`
    : `{job="${job}"}[1h]`;
}

function isOfJob(labels: Readonly<Record<string, string>>, job: string): boolean {
  if (job === 'target_relabel') return labels['instance'] === 'one';
  if (labels['instance'] === 'one') return false;
  return labels['job'] === job || (job === 'honor_labels' && labels['job'] === 'own');
}

function add(stored: Stored, metric: Readonly<Record<string, string>>, timeMs: number, value: string): void {
  const name = metric['__name__']!;
  const key = sorted(metric);
  const samples = stored.get(key) ?? new Set();
  stored.set(key, samples);
  // How long a scrape took differs, and so does how many there were.
  if (name === 'scrape_duration_seconds') return;
  samples.add(timeMs <= OWN_TIME_MS + 1000 ? `${value}@${timeMs - OWN_TIME_MS}` : value);
}

function sortedEntries(stored: Stored): [string, string[]][] {
  return [...stored]
    .map(([key, samples]): [string, string[]] => [key, [...samples].sort()])
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function withoutDomain(labels: Readonly<Record<string, string>>): Record<string, string> {
  const { domain: _, ...rest } = labels;
  return rest;
}
