import { describe, expect, test } from 'vitest';
import { labelsRecord, withLabel, type Labels } from '../../src/model/labels.ts';
import type { ByteTable } from '../../src/wire/byte-table.ts';
import { compareCodePoints } from '../../src/wire/otlp/any-value.ts';
import { translateBytes } from '../../src/wire/otlp/byte-walk.ts';
import { decodeMetricsRequest } from '../../src/wire/otlp/decode.ts';
import { metricCaches } from '../../src/wire/otlp/metric-caches.ts';
import { DEFAULT_PROMOTED } from '../../src/wire/otlp/resource.ts';
import { translateMetrics } from '../../src/wire/otlp/translate.ts';
import { otlpTranslator } from '../../src/wire/otlp/translator.ts';
import { compared, NOW_MS, OPTIONS } from './otlp-compared.ts';
import { outcomeOf } from './otlp-outcome.ts';

/** A field of the wire type for lengths. */
function field(number: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([varint(number * 8 + 2), varint(content.length), content]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.from([...bytes, rest]);
}

function fixed(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([varint(number * 8 + 1), bytes]);
}

function double(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

function long(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
}

const NOW = long(BigInt(NOW_MS) * 1_000_000n);
const name = (text: string) => field(1, Buffer.from(text));
const attribute = (number: number, key: string, value: string) =>
  field(number, field(1, Buffer.from(key)), field(2, field(1, Buffer.from(value))));
const point = (...more: readonly Uint8Array[]) => field(1, fixed(3, NOW), fixed(6, long(5n)), ...more);
const gauge = (...points: readonly Uint8Array[]) => field(5, ...points);
const histogramPoint = (...more: readonly Uint8Array[]) => field(1, fixed(3, NOW), fixed(4, long(3n)), ...more);
const histogram = (...points: readonly Uint8Array[]) => field(9, ...points, Buffer.from([0x10, 2]));
const exponentialPoint = (...more: readonly Uint8Array[]) =>
  field(1, fixed(3, NOW), fixed(4, long(3n)), Buffer.from([0x30, 4]), ...more);
const exponential = (...points: readonly Uint8Array[]) => field(10, ...points, Buffer.from([0x10, 2]));
const metric = (...parts: readonly Uint8Array[]) => field(2, ...parts);
const scope = (...parts: readonly Uint8Array[]) => field(2, ...parts);
const resource = (service: string) => field(1, attribute(1, 'service.name', service), attribute(1, 'os', 'o'));
const request = (...metrics: readonly Uint8Array[]) => field(1, resource('s'), scope(...metrics));
const counts = (...values: readonly bigint[]) => field(6, ...values.map(long));
const bounds = (...values: readonly number[]) => field(7, ...values.map(double));

describe('odd encodings mean what they mean to the decoder', () => {
  test.each<[what: string, body: Uint8Array, taken: number]>([
    ['nothing', Buffer.alloc(0), 0],
    ['a resource after its metrics', field(1, scope(metric(name('g'), gauge(point()))), resource('s')), 1],
    ['no resource', field(1, scope(metric(name('g'), gauge(point())))), 1],
    ['an empty resource', field(1, field(1), scope(metric(name('g'), gauge(point())))), 1],
    ['a resource in two parts', field(1, resource('a'), scope(metric(name('g'), gauge(point()))), resource('b')), 1],
    ['a name after the points', request(metric(gauge(point()), name('g'))), 1],
    ['a name before and after', request(metric(name('a'), gauge(point()), name('b'))), 1],
    ['an empty name after', request(metric(name('a'), gauge(point()), name(''))), 0],
    ['points in two parts', request(metric(name('g'), gauge(point(attribute(7, 'a', '1'))), gauge(point()))), 2],
    ['two kinds of points', request(metric(name('g'), gauge(point()), histogram(histogramPoint()))), 1],
    ['a metric without points', request(metric(name('g'))), 0],
    ['metadata after the points', request(metric(name('g'), gauge(point()), attribute(12, 'k', 'v'))), 1],
    ['unknown fields', request(metric(name('g'), field(99), gauge(point(field(98), Buffer.from([0xf8, 1, 7]))))), 1],
    [
      'attributes in two runs',
      request(metric(name('g'), gauge(point(attribute(7, 'a', '1'), fixed(2, NOW), attribute(7, 'b', '2'))))),
      1,
    ],
    [
      'attributes in two runs of a histogram',
      request(
        metric(
          name('h'),
          histogram(histogramPoint(attribute(9, 'a', '1'), counts(3n), attribute(9, 'b', '2'), attribute(9, 'c', '3'))),
        ),
      ),
      1,
    ],
    [
      'attributes in two runs of an exponential histogram',
      request(
        metric(
          name('e'),
          exponential(exponentialPoint(attribute(1, 'a', '1'), field(8, field(2, varint(3))), attribute(1, 'b', '2'))),
        ),
      ),
      1,
    ],
    ['a value twice', request(metric(name('g'), gauge(point(fixed(4, double(1.5)))))), 1],
    ['a value of two kinds', request(metric(name('g'), gauge(point(fixed(4, double(1.5)), fixed(6, long(-7n)))))), 1],
    ['the largest integer', request(metric(name('g'), gauge(point(fixed(6, long(2n ** 63n - 1n)))))), 1],
    ['counts without bounds', request(metric(name('h'), histogram(histogramPoint(counts(3n))))), 1],
    ['bounds without counts', request(metric(name('h'), histogram(histogramPoint(bounds(1, 2))))), 1],
    [
      'an explicit +Inf',
      request(metric(name('h'), histogram(histogramPoint(counts(1n, 2n, 0n), bounds(1, Infinity))))),
      1,
    ],
    ['counts in two runs', request(metric(name('h'), histogram(histogramPoint(counts(1n), bounds(1), counts(2n))))), 1],
    [
      'counts one by one',
      request(metric(name('h'), histogram(histogramPoint(fixed(6, long(1n)), fixed(6, long(2n)), bounds(1))))),
      1,
    ],
    ['a count past 2^53', request(metric(name('h'), histogram(histogramPoint(fixed(4, long(2n ** 60n + 1n)))))), 1],
    [
      'buckets in two parts',
      request(
        metric(name('e'), exponential(exponentialPoint(field(8, field(2, varint(1))), field(8, field(2, varint(2)))))),
      ),
      1,
    ],
    [
      'counts of five bytes',
      request(
        metric(
          name('e'),
          exponential(exponentialPoint(fixed(4, long(2n ** 33n)), field(8, field(2, varint(2 ** 33))))),
        ),
      ),
      1,
    ],
    [
      'counts of seven bytes',
      request(
        metric(
          name('e'),
          exponential(
            exponentialPoint(fixed(4, long(2n ** 50n)), fixed(5, double(NaN)), field(8, field(2, varint(2 ** 45 + 5)))),
          ),
        ),
      ),
      1,
    ],
    [
      'a scale far too fine',
      request(
        metric(name('e'), exponential(exponentialPoint(Buffer.from([0x30, 0x80, 2]), field(8, field(2, varint(3)))))),
      ),
      1,
    ],
    ['a tag in two bytes too many', field(1, resource('s'), Buffer.from([0x92, 0, 0])), 0],
    ['a length in two bytes too many', Buffer.from([0x0a, 0x80, 0x00]), 0],
  ])('%s', (what, body, taken) => {
    for (const convertHistogramsToNhcb of [false, true]) {
      const outcome = compared({ ...OPTIONS, convertHistogramsToNhcb })(body, what) as { taken: number };
      expect(outcome.taken).toBe(taken);
    }
  });
});

test('points of equal attributes are told apart by metric, resource and bounds', () => {
  const series = new Set<string>();
  const compare = compared(OPTIONS);
  for (const service of ['a', 'b']) {
    for (const text of ['m', 'n']) {
      const metrics = [
        metric(name(text), gauge(point(attribute(7, 'k', 'v')))),
        metric(name(text), field(7, point(attribute(7, 'k', 'v')), Buffer.from([0x10, 2, 0x18, 1]))),
        metric(name(text), field(7, point(attribute(7, 'k', 'v')), Buffer.from([0x10, 1]))),
        metric(name(`${text}h`), histogram(histogramPoint(counts(1n, 2n), bounds(1), attribute(9, 'k', 'v')))),
        metric(name(`${text}h`), histogram(histogramPoint(counts(1n, 2n), bounds(7), attribute(9, 'k', 'v')))),
      ];
      const { rows } = compare(field(1, resource(service), scope(...metrics)), text) as { rows: string[] };
      for (const row of rows) if (!row.includes('target_info')) series.add(row);
    }
  }
  // Three single values; two histograms of two buckets, their sums missing, their counts equal.
  expect(series.size).toBe(2 * 2 * (3 + 1 + 2 + 1));
});

test('so they are where their keys meet in the caches', () => {
  const caches = metricCaches();
  const saltless = <T>(table: ByteTable<T>): ByteTable<T> => ({
    ...table,
    get: (bytes, start, end) => table.get(bytes, start, end),
    set: (bytes, start, end, value) => table.set(bytes, start, end, value),
  });
  const meeting = { ...caches, points: saltless(caches.points), classics: saltless(caches.classics) };
  const metrics = ['m', 'n'].flatMap((text) => [
    metric(name(text), gauge(point(attribute(7, 'k', 'v')))),
    metric(name(`${text}h`), histogram(histogramPoint(counts(1n, 2n), bounds(1), attribute(9, 'k', 'v')))),
    metric(name(`${text}h`), histogram(histogramPoint(counts(1n, 2n), bounds(7), attribute(9, 'k', 'v')))),
  ]);
  for (const some of [metrics, metrics.slice(0, 1), metrics.slice(1, 2)]) {
    const body = Buffer.concat(['a', 'b'].map((service) => field(1, resource(service), scope(...some))));
    const want = outcomeOf(() => translateMetrics(decodeMetricsRequest(body, 'protobuf'), OPTIONS, NOW_MS));
    for (let i = 0; i < 2; i++) {
      expect(outcomeOf(() => translateBytes(body, OPTIONS, DEFAULT_PROMOTED, meeting, NOW_MS)!)).toEqual(want);
    }
  }
});

test('a request of too many elements is refused in the same words', () => {
  const zeros = Buffer.alloc(8 * 600_000);
  const body = request(metric(name('h'), histogram(histogramPoint(field(6, zeros)), histogramPoint(field(6, zeros)))));
  expect(compared(OPTIONS)(body, 'two long lists')).toMatchObject({ code: 'body_too_large' });
});

test('a request that makes too many samples is refused', () => {
  const early = fixed(3, long(1_000_000n));
  const resources = Array.from({ length: 7000 }, (_, i) =>
    field(1, resource(`s${i}`), scope(metric(name('g'), gauge(point(), point(early))))),
  );
  const translate = () => otlpTranslator(OPTIONS).translate(Buffer.concat(resources), 'protobuf', NOW_MS);
  expect(outcomeOf(translate)).toMatchObject({ code: 'body_too_large' });
});

test('each label set is admitted once, whole, and what admission says is stored', () => {
  const asked: Labels[] = [];
  const exemplars: Labels[] = [];
  const translator = otlpTranslator({
    ...OPTIONS,
    admission: {
      series(labels) {
        asked.push(labels);
        return withLabel(labels, 'k', 'hidden');
      },
      exemplar(labels) {
        exemplars.push(labels);
        return withLabel(labels, 'k', '');
      },
      attribute: () => undefined,
    },
  });
  const exemplar = field(5, fixed(2, NOW), fixed(3, double(1)), attribute(7, 'k', 'v'), attribute(7, 'l', 'w'));
  const body = request(
    metric(name('s'), field(7, point(attribute(7, 'k', 'v'), exemplar), Buffer.from([0x10, 2]))),
    metric(name('h'), histogram(histogramPoint(counts(1n, 2n), bounds(1)))),
  );
  for (let i = 0; i < 3; i++) {
    const batch = translator.translate(body, 'protobuf', NOW_MS).build();
    for (const { labels } of batch.series) {
      expect(labelsRecord(labels)).toMatchObject({ k: 'hidden', domain: 'eu', job: 's' });
    }
    expect(batch.exemplars.map(({ labels }) => labels)).toEqual([['l', 'w']]);
  }
  // s; h_sum, h_count and two buckets; target_info.
  expect(asked.map((labels) => labelsRecord(labels)['__name__'] ?? '').toSorted(compareCodePoints)).toEqual([
    'h_bucket',
    'h_bucket',
    'h_count',
    'h_sum',
    's',
    'target_info',
  ]);
  expect(exemplars).toEqual([
    ['k', 'v', 'l', 'w'],
    ['k', 'v', 'l', 'w'],
    ['k', 'v', 'l', 'w'],
  ]);
});

test('a series that comes again has the same handle', () => {
  const translator = otlpTranslator(OPTIONS);
  const body = request(
    metric(name('g'), gauge(point(attribute(7, 'k', 'v')))),
    metric(name('h'), histogram(histogramPoint(counts(1n, 2n), bounds(1)))),
    metric(name('e'), exponential(exponentialPoint(field(8, field(2, varint(3)))))),
  );
  const first = translator.translate(body, 'protobuf', NOW_MS).build();
  const second = translator.translate(Buffer.from(body), 'protobuf', NOW_MS).build();
  expect(first.series.length).toBeGreaterThan(5);
  for (const [i, handle] of first.series.entries()) expect(second.series[i]).toBe(handle);
  expect(second.histograms?.layouts[0]).toBe(first.histograms?.layouts[0]);
});
