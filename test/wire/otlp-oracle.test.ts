import { appendFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ADMIT_ALL } from '../../src/model/admission.ts';
import { ADD_ONCE, type Batch } from '../../src/model/batch.ts';
import { CUSTOM_BUCKETS, histogramAt, isHistogramAt, type NativeHistogram } from '../../src/model/histogram.ts';
import { labelsKey, labelsOf, withLabel } from '../../src/model/labels.ts';
import { isStaleAt } from '../../src/model/series.ts';
import type { MetricsOptions } from '../../src/wire/otlp/translate.ts';
import { otlpTranslator } from '../../src/wire/otlp/translator.ts';
import { randomFrom } from '../random.ts';
import { findOracle, type Oracle, startOracle } from '../oracle/oracle.ts';
import { metricsProtobuf, nanos, randomMetricsRequest, text, metricsRequest, type Json } from './otlp-requests.ts';

const program = await findOracle();
const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const REQUESTS = 120;
const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2020, 0, 1);

/** Series by their labels; samples as `time value`. */
type Written = Map<string, string[]>;

/** What a batch leaves in a store that holds nothing of its series, without the domain label. */
function writtenByBatch(batches: readonly Batch[]): Written {
  const samples = new Map<string, [timeMs: number, value: number, shown: string][]>();
  for (const batch of batches) {
    for (let i = 0; i < batch.times.length; i++) {
      const key = keyOf(batch, batch.seriesOf[i]!);
      const list = samples.get(key) ?? [];
      samples.set(key, list);
      if (isStaleAt(batch.values, i)) continue;
      if (isHistogramAt(batch.histograms, i)) {
        list.push([batch.times[i]!, 0, shownHistogram(histogramAt(batch.histograms, i))]);
        continue;
      }
      const before = batch.modes[i] === ADD_ONCE ? (list.at(-1)?.[1] ?? 0) : 0;
      const value = before + batch.values[i]!;
      list.push([batch.times[i]!, value, shownNumber(value)]);
    }
  }
  const written: Written = new Map();
  for (const [key, list] of samples) {
    const sorted = list.toSorted(([a], [b]) => a - b);
    if (list.length > 0)
      written.set(
        key,
        sorted.map(([timeMs, , shown]) => `${timeMs} ${shown}`),
      );
  }
  return written;
}

function keyOf(batch: Batch, series: number): string {
  return labelsKey(withLabel(batch.series[series]!.labels, 'domain', ''));
}

/** The exemplars of a batch by series, as `time value labels`. */
function exemplarsOfBatch(batch: Batch): Written {
  const written: Written = new Map();
  for (const { series, timeMs, value, labels } of batch.exemplars) {
    const key = keyOf(batch, series);
    written.set(key, [...(written.get(key) ?? []), `${timeMs} ${shownNumber(value)} ${labelsKey(labels)}`]);
  }
  for (const [key, list] of written) written.set(key, inOrder(list));
  return written;
}

/** Prometheus keeps of each series what comes in order of time, and nothing twice; points of one request are in no order. */
function inOrder(list: readonly string[]): string[] {
  return [...new Set(list)].sort();
}

function shownNumber(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** As Prometheus's API shows it: buckets with observations, each with its two bounds. */
function shownHistogram({ layout, count, sum, zeroCount, positive, negative }: NativeHistogram): string {
  const { schema, bounds } = layout;
  const end = (index: number): number =>
    schema === CUSTOM_BUCKETS ? (index < 0 ? -Infinity : (bounds[index] ?? Infinity)) : 2 ** (index * 2 ** -schema);
  const buckets: [number, number, number][] = [];
  for (const [i, index] of layout.negative.entries()) buckets.push([-end(index), -end(index - 1), negative[i]!]);
  if (zeroCount > 0) buckets.push([-layout.zeroThreshold, layout.zeroThreshold, zeroCount]);
  for (const [i, index] of layout.positive.entries()) buckets.push([end(index - 1), end(index), positive[i]!]);
  return shownBuckets(count, sum, buckets);
}

function shownBuckets(count: number, sum: number, buckets: readonly (readonly [number, number, number])[]): string {
  // Nine digits: bounds are computed in more than one way.
  const shown = buckets
    .toSorted(([a], [b]) => a - b)
    .map(([low, high, n]) => `(${low.toPrecision(9)} ${high.toPrecision(9)}: ${n})`);
  return `count ${count} sum ${shownNumber(sum)} ${shown.join(' ')}`;
}

/** A histogram in the JSON of Prometheus's API. */
interface OracleHistogram {
  readonly count: string;
  readonly sum: string;
  readonly buckets?: readonly (readonly [rule: number, low: string, high: string, count: string])[];
}

function oracleNumber(text: string): number {
  return text === '-0' ? -0 : Number(text.replace('Inf', 'Infinity'));
}

async function send(oracle: Oracle, request: Json): Promise<void> {
  const response = await fetch(`${oracle.url}/api/v1/otlp/v1/metrics`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf' },
    body: Buffer.from(metricsProtobuf(request)),
  });
  expect(response.status, await response.text()).toBe(200);
}

/** All samples of (startMs, startMs + 1h]; staleness markers do not show. */
async function writtenByOracle(oracle: Oracle, startMs: number): Promise<Written> {
  const query = new URLSearchParams({ query: '{__name__=~".+"}[1h]', time: String((startMs + 3_600_000) / 1000) });
  const response = await fetch(`${oracle.url}/api/v1/query?${query.toString()}`);
  const answer = (await response.json()) as {
    data: {
      result: {
        metric: Record<string, string>;
        values?: [number, string][];
        histograms?: [number, OracleHistogram][];
      }[];
    };
  };
  const written: Written = new Map();
  for (const { metric, values = [], histograms = [] } of answer.data.result) {
    const shown = values.map(([seconds, value]) => `${Math.round(seconds * 1000)} ${shownNumber(oracleNumber(value))}`);
    for (const [seconds, { count, sum, buckets = [] }] of histograms) {
      const parts = buckets.map(([, low, high, n]) => [oracleNumber(low), oracleNumber(high), Number(n)] as const);
      shown.push(`${Math.round(seconds * 1000)} ${shownBuckets(Number(count), oracleNumber(sum), parts)}`);
    }
    written.set(labelsKey(labelsOf(metric)), shown);
  }
  return written;
}

async function exemplarsOfOracle(oracle: Oracle, startMs: number): Promise<Written> {
  const [start, end] = [String(startMs / 1000), String((startMs + 3_600_000) / 1000)];
  const query = new URLSearchParams({ query: '{__name__=~".+"}', start, end });
  const response = await fetch(`${oracle.url}/api/v1/query_exemplars?${query.toString()}`);
  const answer = (await response.json()) as {
    data: {
      seriesLabels: Record<string, string>;
      exemplars: { labels: Record<string, string>; value: string; timestamp: number }[];
    }[];
  };
  const written: Written = new Map();
  for (const { seriesLabels, exemplars } of answer.data) {
    const shown = exemplars.map(
      ({ labels, value, timestamp }) =>
        `${Math.round(timestamp * 1000)} ${shownNumber(oracleNumber(value))} ${labelsKey(labelsOf(labels))}`,
    );
    written.set(labelsKey(labelsOf(seriesLabels)), inOrder(shown));
  }
  return written;
}

function translate(request: Json, format: 'protobuf' | 'json', more: Partial<MetricsOptions> = {}): Batch {
  const body = format === 'protobuf' ? metricsProtobuf(request) : Buffer.from(JSON.stringify(request));
  const options = { domain: 'eu', domainLabel: 'domain', admission: ADMIT_ALL, promoteResourceAttributes: [], ...more };
  const { build, rejected } = otlpTranslator(options).translate(body, format, Date.now());
  expect(rejected.message).toBe('');
  return build();
}

describe.skipIf(program === undefined)('the series of a real Prometheus', () => {
  let oracle: Oracle;

  beforeAll(async () => {
    oracle = await startOracle({
      args: [
        '--web.enable-lifecycle',
        '--web.enable-otlp-receiver',
        '--enable-feature=otlp-deltatocumulative,exemplar-storage',
      ],
    });
  }, 90_000);

  afterAll(async () => oracle?.close());

  test(`random requests, seed ${SEED}`, { timeout: 120_000 }, async () => {
    let series = 0;
    let withExemplars = 0;
    for (let i = 0; i < REQUESTS; i++) {
      // Each request has a day of its own, so that its samples can be told from those of the others.
      const startMs = START_MS + i * DAY_MS;
      const request = randomMetricsRequest(randomFrom(SEED).fork(i), { startMs, temporality: 2 });
      await send(oracle, request);
      const want = await writtenByOracle(oracle, startMs);
      const batch = translate(request, 'protobuf');
      expect(writtenByBatch([batch]), `request ${i} of seed ${SEED}`).toEqual(want);
      expect(writtenByBatch([translate(request, 'json')]), `JSON of request ${i} of seed ${SEED}`).toEqual(want);
      const exemplars = await exemplarsOfOracle(oracle, startMs);
      expect(exemplarsOfBatch(batch), `exemplars of request ${i} of seed ${SEED}`).toEqual(exemplars);
      series += want.size;
      withExemplars += exemplars.size;
    }
    expect(series).toBeGreaterThan(REQUESTS * 10);
    expect(withExemplars).toBeGreaterThan(REQUESTS);
  });

  test('target_info is repeated between the first and the last point', async () => {
    const startMs = Date.UTC(2019, 0, 1);
    const point = (minutes: number) => ({ asInt: 1, timeUnixNano: nanos(startMs + minutes * 60_000, 5) });
    const request = metricsRequest(
      [text('service.name', 'a'), text('host.name', 'h')],
      [{ name: 'g', gauge: { dataPoints: [point(1), point(7), point(31.5)] } }],
    );
    await send(oracle, request);
    expect(writtenByBatch([translate(request, 'protobuf')])).toEqual(await writtenByOracle(oracle, startMs));
  });

  test('deltas add up to the same counters', async () => {
    const startMs = Date.UTC(2018, 0, 1);
    const requests = [0, 1, 2, 3].map((minute) => {
      const times = {
        startTimeUnixNano: nanos(startMs + minute * 60_000),
        timeUnixNano: nanos(startMs + (minute + 1) * 60_000),
      };
      return metricsRequest(
        [text('service.name', 'delta')],
        [
          {
            name: 'up',
            sum: { isMonotonic: true, aggregationTemporality: 1, dataPoints: [{ ...times, asInt: 3 + minute }] },
          },
          {
            name: 'both',
            sum: { isMonotonic: false, aggregationTemporality: 1, dataPoints: [{ ...times, asDouble: 0.5 - minute }] },
          },
          {
            name: 'h',
            histogram: {
              aggregationTemporality: 1,
              dataPoints: [
                { ...times, count: 4 + minute, sum: 2.5, explicitBounds: [1, 2], bucketCounts: [1, 3, minute] },
              ],
            },
          },
        ],
      );
    });
    for (const request of requests) await send(oracle, request);
    const want = await writtenByOracle(oracle, startMs);
    expect(want.size).toBe(7);
    expect(writtenByBatch(requests.map((request) => translate(request, 'json')))).toEqual(want);
  });

  test(`explicit histograms as native ones with custom buckets, seed ${SEED}`, { timeout: 60_000 }, async () => {
    const flags = (await (await fetch(`${oracle.url}/api/v1/status/flags`)).json()) as { data: Record<string, string> };
    await appendFile(flags.data['config.file']!, '\notlp:\n  convert_histograms_to_nhcb: true\n');
    expect((await fetch(`${oracle.url}/-/reload`, { method: 'POST' })).status).toBe(200);
    let native = 0;
    for (let i = 0; i < 40; i++) {
      const startMs = START_MS - (i + 1) * DAY_MS - 1000 * DAY_MS;
      const options = { startMs, temporality: 2, countsFit: true };
      const request = randomMetricsRequest(randomFrom(SEED).fork(10_000 + i), options);
      await send(oracle, request);
      const batch = translate(request, 'protobuf', { convertHistogramsToNhcb: true });
      native += batch.histograms?.layouts.filter(({ schema }) => schema === CUSTOM_BUCKETS).length ?? 0;
      expect(writtenByBatch([batch]), `request ${i} of seed ${SEED}`).toEqual(await writtenByOracle(oracle, startMs));
    }
    expect(native).toBeGreaterThan(10);
  });
});
