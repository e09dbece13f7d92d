import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import { labelsRecord } from '../../src/model/labels.ts';
import type { Agent } from '../../src/agent/agent.ts';
import type { Store } from '../../src/store/store.ts';
import { freePorts } from '../../scripts/demo/processes.ts';
import { findOracle } from '../oracle/oracle.ts';
import { forgetfulHttpProxy } from '../senders/forgetful-proxy.ts';
import { findPrometheus2, remoteRead, startPrometheus } from '../senders/prometheus.ts';
import { apiData, instantSamples, rawSamples, sampleKey, shownExemplars, until } from '../senders/query-api.ts';
import { startTarget } from '../senders/scrape-target.ts';
import { startWholeAgent, type WholeAgent } from '../senders/whole-agent.ts';
import {
  valueAt,
  type HistogramRow,
  type Row,
  type WriteHistogram,
  type WriteSpan,
} from '../wire/remote-write-requests.ts';

/** Real Prometheus programs that scrape themselves and other targets and write all of it to a whole agent. */

const prometheus3 = await findOracle();
const prometheus2 = await findPrometheus2();

const SCRAPE_MS = 250;

/** What is compared. */
const WINDOW_MS = 3000;

const RUN = { concurrent: true, timeout: 60_000 } as const;

const V1 = {
  args: ['--enable-feature=exemplar-storage'],
  global: 'scrape_native_histograms: true',
  write: 'protobuf_message: prometheus.WriteRequest',
};
const V2 = {
  args: ['--enable-feature=exemplar-storage,st-storage,st-synthesis'],
  global: 'scrape_native_histograms: true',
  write: 'protobuf_message: io.prometheus.write.v2.Request',
  // It has none to send, with the feature metadata-wal-records neither.
  sendsNoMetadata: true,
};

// In one group: what is concurrent waits for other groups.
describe('the local query API shows what a Prometheus has that writes', () => {
  test.skipIf(prometheus3 === undefined)('1.0, of version 3.15', RUN, async () => {
    await compareWith({ program: prometheus3!, ...V1 });
  });

  test.skipIf(prometheus3 === undefined)('2.0, of version 3.15', RUN, async () => {
    const { floatStarts, histogramStarts } = await compareWith({ program: prometheus3!, ...V2 });
    expect(floatStarts).toBeGreaterThan(0);
    expect(histogramStarts).toBeGreaterThan(0);
  });

  test.skipIf(prometheus3 === undefined)('2.0, when the first answer to each request is lost', RUN, async () => {
    const { dropped, answered } = await compareWith({ program: prometheus3!, ...V2, losesAnswers: true });
    expect(dropped).toBeGreaterThan(5);
    expect(answered).toBeGreaterThan(5);
  });

  test.skipIf(prometheus2 === undefined)('1.0, of version 2 (COMITY_PROMETHEUS_2)', RUN, async () => {
    await compareWith({
      program: prometheus2!,
      args: ['--enable-feature=exemplar-storage,native-histograms'],
      global: '',
      write: '',
      // Its remote read leaves out native histograms.
      readsNoHistograms: true,
    });
  });
});

interface Compared {
  readonly program: string;
  readonly args: readonly string[];
  /** Lines of the configuration. */
  readonly global: string;
  readonly write: string;
  readonly readsNoHistograms?: boolean;
  readonly sendsNoMetadata?: boolean;
  /** Whether a proxy keeps the first answer to each request from the sender. */
  readonly losesAnswers?: boolean;
}

/** Runs one sender against one agent. The figures show that there was something to compare. */
async function compareWith(options: Compared) {
  const stops: (() => Promise<void>)[] = [];
  try {
    const whole = await startWholeAgent();
    stops.push(() => whole.close());
    const proxy = options.losesAnswers === true ? await forgetfulHttpProxy(whole.agent.otlpUrl) : undefined;
    if (proxy !== undefined) stops.push(() => proxy.close());
    const target = await startTarget();
    stops.push(() => target.close());
    const leaving = await startTarget();
    let hasLeft = false;
    const leave = async () => {
      if (!hasLeft) await leaving.close();
      hasLeft = true;
    };
    stops.push(leave);
    const [port] = (await freePorts(1)) as [number];
    const sender = await startPrometheus(port, {
      program: options.program,
      args: options.args,
      config: (own) => `
global: { scrape_interval: ${SCRAPE_MS}ms${options.global === '' ? '' : `, ${options.global}`} }
scrape_configs:
  - { job_name: self, static_configs: [{ targets: ['${own}'] }] }
  - { job_name: text, static_configs: [{ targets: ['${target.address}'] }] }
  - { job_name: native, metrics_path: /native, static_configs: [{ targets: ['${target.address}'] }] }
  - { job_name: leaving, static_configs: [{ targets: ['${leaving.address}'] }] }
remote_write:
  - url: ${proxy?.url ?? whole.agent.otlpUrl}/api/v1/write
    send_exemplars: true
    send_native_histograms: true
    metadata_config: { send: true, send_interval: 1s }
    queue_config: { batch_send_deadline: 100ms, max_shards: 2, max_samples_per_send: 500 }
    ${options.write}
`,
    });
    stops.push(() => sender.close());

    // The first scrapes may be older than the start of the sending queue.
    const fromMs = (await firstTime(whole)) + 1000;
    const toMs = fromMs + WINDOW_MS;
    while (Date.now() < toMs + 500) {
      if (Date.now() > fromMs + WINDOW_MS / 2) {
        target.hide();
        await leave();
      }
      await sleep(50);
    }
    const counts = await compare(whole, sender.url, { fromMs, toMs, ...options }).catch((error: unknown) => {
      if (error instanceof Error) error.message += `\nThe sender's log ends:\n${sender.log()}`;
      throw error;
    });
    expect(counts.floats).toBeGreaterThan(2000);
    expect(counts.histograms).toBeGreaterThan(10);
    // A float and a histogram of one target went away, and all of another's.
    expect(counts.stale).toBeGreaterThan(10);
    expect(counts.exemplars).toBeGreaterThan(0);
    return { ...counts, ...(proxy?.counts ?? { dropped: 0, answered: 0 }) };
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

interface Window {
  readonly fromMs: number;
  readonly toMs: number;
  readonly readsNoHistograms?: boolean;
  readonly sendsNoMetadata?: boolean;
}

async function compare(whole: WholeAgent, senderUrl: string, window: Window) {
  const { fromMs, toMs } = window;
  const wanted = await rawSamples(senderUrl, fromMs, toMs);
  const read = await readRows(senderUrl, fromMs, toMs);
  const total = new Set([...wanted.keys(), ...read.keys()]).size;
  await until(async () => storedRows(storeOf(whole.agent), fromMs, toMs).size >= total);

  const instants = [fromMs + 500, fromMs + WINDOW_MS / 2, toMs - 700, toMs];
  const wantedAt = await Promise.all(instants.map((atMs) => instantSamples(senderUrl, atMs)));
  const checkAnswers = async () => {
    expectSame(await rawSamples(whole.queryUrl, fromMs, toMs), wanted, 'raw samples');
    for (const [i, atMs] of instants.entries()) {
      expectSame(await instantSamples(whole.queryUrl, atMs), wantedAt[i]!, `at ${atMs}`);
    }
  };
  await checkAnswers();
  const counts = compareStored(storedRows(storeOf(whole.agent), fromMs, toMs), read, window);
  const exemplars = await compareExemplars(whole.queryUrl, senderUrl, fromMs, toMs);
  if (window.sendsNoMetadata !== true) await compareMetadata(whole.queryUrl, senderUrl);
  const complaints = { sender: await failedBySender(senderUrl), agent: await whole.complaints() };
  expect(complaints).toEqual({ sender: [], agent: [] });
  // All of it is on disk.
  await whole.restart();
  await checkAnswers();
  return { ...counts, exemplars };
}

/** Names what differs, of thousands of samples. */
function expectSame(got: ReadonlyMap<string, string>, want: ReadonlyMap<string, string>, what: string): void {
  const differences = [...new Set([...got.keys(), ...want.keys()])]
    .filter((key) => got.get(key) !== want.get(key))
    .map((key) => `${key}: ${got.get(key)} instead of ${want.get(key)}`);
  expect(differences.slice(0, 20), `${what}: ${differences.length} differences`).toEqual([]);
  expect(want.size, what).toBeGreaterThan(100);
}

/** Compares what is stored with what a remote read returns, staleness markers among it. */
function compareStored(
  stored: ReadonlyMap<string, Row>,
  read: ReadonlyMap<string, Row['value']>,
  { readsNoHistograms = false }: Window,
) {
  const counts = { floats: 0, histograms: 0, stale: 0, floatStarts: 0, histogramStarts: 0 };
  const missing = new Set(read.keys());
  for (const [key, { value, startMs }] of stored) {
    const isRead = !(readsNoHistograms && key.includes('"sizes"'));
    if (isRead) expect(isEqual(read.get(key), value), `${key} ${JSON.stringify(value)}`).toBe(true);
    if (value === 'stale') counts.stale++;
    else if (typeof value === 'object') counts.histograms++;
    else counts.floats++;
    if (startMs > 0 && typeof value === 'number') counts.floatStarts++;
    if (startMs > 0 && typeof value === 'object') counts.histogramStarts++;
    missing.delete(key);
  }
  expect([...missing]).toEqual([]);
  return counts;
}

/** A remote read's floats have lost the bits by which NaNs differ; what the API does not show was a marker. */
function isEqual(read: Row['value'] | undefined, stored: Row['value']): boolean {
  if (stored !== 'stale') return Object.is(read, stored) || isDeepStrictEqual(read, stored);
  return typeof read === 'object' ? Number.isNaN(read.sum) : Number.isNaN(read);
}

async function readRows(url: string, fromMs: number, toMs: number): Promise<Map<string, Row['value']>> {
  const rows = new Map<string, Row['value']>();
  for (const { labels, samples, histograms } of await remoteRead(url, fromMs, toMs)) {
    const record = Object.fromEntries(labels.map(({ name, value }) => [name, value]));
    for (const { timestamp, value } of samples) rows.set(sampleKey(record, timestamp), value);
    for (const one of histograms) rows.set(sampleKey(record, one.timestamp), histogramRow(one));
  }
  return rows;
}

/** The only store of an agent that runs in this thread. */
function storeOf({ shards }: Agent): Store {
  return shards.stores[0]!;
}

function storedRows(store: Store, fromMs: number, toMs: number): Map<string, Row> {
  const rows = new Map<string, Row>();
  for (const series of store.select([], fromMs, toMs)) {
    const labels = labelsRecord(series.labels);
    expect(labels['domain']).toBe('eu');
    for (const [i, timeMs] of series.times.entries()) {
      const value = valueAt(series, i);
      rows.set(sampleKey(labels, timeMs), {
        labels,
        timeMs,
        startMs: typeof series.startTimes === 'number' ? series.startTimes : (series.startTimes?.[i] ?? 0),
        value: typeof value === 'object' ? comparable(value) : value,
      });
    }
  }
  return rows;
}

async function compareExemplars(url: string, senderUrl: string, fromMs: number, toMs: number): Promise<number> {
  const list = (from: string) => shownExemplars(from, '{__name__=~".+"}', fromMs, toMs);
  const want = await list(senderUrl);
  await until(async () => (await list(url)).length >= want.length);
  expect(await list(url)).toEqual(want);
  return want.length;
}

type ApiMetadata = Readonly<Record<string, readonly { readonly type: string; readonly help: string }[]>>;

/** Every family of which the sender knows one description is described in the same way. */
async function compareMetadata(url: string, senderUrl: string): Promise<void> {
  const want = Object.entries(await apiData<ApiMetadata>(senderUrl, 'metadata')).filter(([, all]) => all.length === 1);
  expect(want.length).toBeGreaterThan(50);
  const differences = async () => {
    const got = await apiData<ApiMetadata>(url, 'metadata');
    return want
      .filter(([family, all]) => !isDeepStrictEqual(got[family], all))
      .map(([family]) => [family, got[family]]);
  };
  await until(async () => (await differences()).length === 0);
  expect(await differences()).toEqual([]);
}

/** What the sender counts as not written, by metric. */
async function failedBySender(senderUrl: string): Promise<string[]> {
  const text = await (await fetch(`${senderUrl}/metrics`)).text();
  const counter = /^prometheus_remote_storage_(samples|histograms|exemplars|metadata)_(failed|dropped)_total\{.* /;
  const lines = text.split('\n').filter((line) => counter.test(line));
  expect(lines.length).toBeGreaterThan(3);
  return lines.filter((line) => !line.endsWith(' 0'));
}

/** A message as the reflection of protobufjs decodes it. */
function histogramRow(sent: WriteHistogram): HistogramRow {
  const isFloat = sent.countFloat !== undefined && sent.countFloat !== 0;
  const side = (spans: readonly WriteSpan[] = [], deltas: readonly number[] = [], counts: readonly number[] = []) => {
    const out: [number, number][] = [];
    let index = 0;
    let last = 0;
    for (const { offset, length } of spans) {
      index += offset;
      for (let i = 0; i < length; i++, index++) {
        last = isFloat ? counts[out.length]! : last + deltas[out.length]!;
        out.push([index, last]);
      }
    }
    return out;
  };
  return comparable({
    schema: sent.schema ?? 0,
    zeroThreshold: sent.zeroThreshold ?? 0,
    hint: 0,
    count: (isFloat ? sent.countFloat : sent.countInt) ?? 0,
    sum: sent.sum ?? 0,
    zeroCount: (isFloat ? sent.zeroCountFloat : sent.zeroCountInt) ?? 0,
    positive: side(sent.positiveSpans, sent.positiveDeltas, sent.positiveCounts),
    negative: side(sent.negativeSpans, sent.negativeDeltas, sent.negativeCounts),
    bounds: sent.customValues ?? [],
  });
}

/** Prometheus's chunks add empty buckets and reset hints to what was scraped and sent. */
function comparable(row: HistogramRow): HistogramRow {
  const filled = (pairs: HistogramRow['positive']) => pairs.filter(([, count]) => count !== 0);
  return { ...row, hint: 0, positive: filled(row.positive), negative: filled(row.negative) };
}

async function firstTime({ agent }: WholeAgent): Promise<number> {
  await until(async () => storeOf(agent).stats().samples > 0);
  const rows = storedRows(storeOf(agent), 0, Date.now() + 60_000);
  return Math.min(...[...rows.values()].map(({ timeMs }) => timeMs));
}
