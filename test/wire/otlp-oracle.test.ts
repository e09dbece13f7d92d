import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ADD_ONCE, type Batch } from '../../src/model/batch.ts';
import { labelsKey, labelsOf, withLabel } from '../../src/model/labels.ts';
import { isStaleAt } from '../../src/model/series.ts';
import { decodeMetricsRequest } from '../../src/wire/otlp/decode.ts';
import { translateMetrics } from '../../src/wire/otlp/translate.ts';
import { randomFrom } from '../differential/random.ts';
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
  const samples = new Map<string, [timeMs: number, value: number][]>();
  for (const batch of batches) {
    for (let i = 0; i < batch.times.length; i++) {
      const key = labelsKey(withLabel(batch.series[batch.seriesOf[i]!]!, 'domain', ''));
      const list = samples.get(key) ?? [];
      samples.set(key, list);
      if (isStaleAt(batch.values, i)) continue;
      const before = batch.modes[i] === ADD_ONCE ? (list.at(-1)?.[1] ?? 0) : 0;
      list.push([batch.times[i]!, before + batch.values[i]!]);
    }
  }
  const written: Written = new Map();
  for (const [key, list] of samples) {
    const sorted = list.toSorted(([a], [b]) => a - b);
    if (list.length > 0)
      written.set(
        key,
        sorted.map(([timeMs, value]) => sample(timeMs, value)),
      );
  }
  return written;
}

function sample(timeMs: number, value: number): string {
  return `${timeMs} ${Object.is(value, -0) ? '-0' : value}`;
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
    data: { result: { metric: Record<string, string>; values: [number, string][] }[] };
  };
  const written: Written = new Map();
  for (const { metric, values } of answer.data.result) {
    written.set(
      labelsKey(labelsOf(metric)),
      values.map(([seconds, value]) =>
        sample(Math.round(seconds * 1000), value === '-0' ? -0 : Number(value.replace('Inf', 'Infinity'))),
      ),
    );
  }
  return written;
}

function translate(request: Json, format: 'protobuf' | 'json'): Batch {
  const body = format === 'protobuf' ? metricsProtobuf(request) : Buffer.from(JSON.stringify(request));
  const { batch, rejected } = translateMetrics(decodeMetricsRequest(body, format), {
    domain: 'eu',
    domainLabel: 'domain',
    nowMs: Date.now(),
    promoteResourceAttributes: [],
  });
  expect(rejected.message).toBe('');
  return batch;
}

describe.skipIf(program === undefined)('the series of a real Prometheus', () => {
  let oracle: Oracle;

  beforeAll(async () => {
    oracle = await startOracle({ args: ['--web.enable-otlp-receiver', '--enable-feature=otlp-deltatocumulative'] });
  }, 90_000);

  afterAll(async () => oracle?.close());

  test(`random requests, seed ${SEED}`, { timeout: 120_000 }, async () => {
    let series = 0;
    for (let i = 0; i < REQUESTS; i++) {
      // Each request has a day of its own, so that its samples can be told from those of the others.
      const startMs = START_MS + i * DAY_MS;
      const request = randomMetricsRequest(randomFrom(SEED).fork(i), { startMs, temporality: 2 });
      await send(oracle, request);
      const want = await writtenByOracle(oracle, startMs);
      expect(writtenByBatch([translate(request, 'protobuf')]), `request ${i} of seed ${SEED}`).toEqual(want);
      expect(writtenByBatch([translate(request, 'json')]), `JSON of request ${i} of seed ${SEED}`).toEqual(want);
      series += want.size;
    }
    expect(series).toBeGreaterThan(REQUESTS * 10);
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
});
