import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import { ADMIT_ALL } from '../../src/model/admission.ts';
import { ADD_ONCE, type Batch, SET } from '../../src/model/batch.ts';
import { compareLabels, labelsOf, labelsRecord } from '../../src/model/labels.ts';
import { isStaleAt } from '../../src/model/series.ts';
import { decodeMetricsRequest } from '../../src/wire/otlp/decode.ts';
import { translateMetrics, type MetricsOptions } from '../../src/wire/otlp/translate.ts';
import type { Translation } from '../../src/wire/otlp/translation.ts';
import { metricsProtobuf, metricsRequest, nanos, text, type Json } from './otlp-requests.ts';

const NOW_MS = Date.UTC(2026, 0, 1);

type Translated = Translation & { readonly batch: Batch };

function translate(request: Json, promote?: readonly string[]): Translated {
  return translateBody(metricsProtobuf(request), { promoteResourceAttributes: promote });
}

function translateBody(body: Uint8Array, more: Partial<MetricsOptions> = {}): Translated {
  const options = { domain: 'eu', domainLabel: 'domain', admission: ADMIT_ALL, ...more };
  const translation = translateMetrics(decodeMetricsRequest(body, 'protobuf'), options, NOW_MS);
  return { ...translation, batch: translation.build() };
}

/** One line a row: `name{labels} value [mode]`. */
function rows(batch: Batch): string[] {
  return [...batch.times].map((timeMs, i) => {
    const { __name__: name, ...labels } = labelsRecord(batch.series[batch.seriesOf[i]!]!.labels);
    const value = isStaleAt(batch.values, i) ? 'stale' : batch.values[i];
    const when = timeMs === NOW_MS ? '' : ` at ${timeMs - NOW_MS}`;
    return `${name}${JSON.stringify(labels)} ${value}${batch.modes[i] === ADD_ONCE ? ' add once' : ''}${when}`;
  });
}

const POINT = { timeUnixNano: nanos(NOW_MS), asInt: 5 };

function gauge(points: readonly Json[], name = 'g', unit = ''): Json {
  return { name, unit, gauge: { dataPoints: points } };
}

describe('labels of a series', () => {
  test.each<[what: string, resource: Json[], point: Json[], want: Record<string, string>]>([
    ['nothing known', [], [], {}],
    [
      'job and instance',
      [text('service.name', 's'), text('service.instance.id', 'i')],
      [],
      { job: 's', instance: 'i', service_name: 's' },
    ],
    [
      'a namespace, an environment and a region',
      [
        text('service.name', 's'),
        text('service.namespace', 'n'),
        text('deployment.environment.name', 'prod'),
        text('cloud.region', 'eu-1'),
        text('host.name', 'h'),
      ],
      [],
      {
        job: 'n/s',
        service_name: 's',
        service_namespace: 'n',
        deployment_environment_name: 'prod',
        cloud_region: 'eu-1',
      },
    ],
    [
      'a point of its own name wins over a promoted one',
      [text('cloud.region', 'r')],
      [text('cloud_region', 'own')],
      { cloud_region: 'own' },
    ],
    ['job of the resource wins', [text('service.name', 's')], [text('job', 'own')], { job: 's', service_name: 's' }],
    ['job of the point stays without a service', [], [text('job', 'own')], { job: 'own' }],
    [
      'colliding keys join in their order',
      [],
      [text('a_b', '2'), text('a.b', '1'), text('a-b', '0')],
      { a_b: '0;1;2' },
    ],
    ['an empty value is no label', [], [text('a.b', ''), text('a_b', 'x'), text('c', '')], { a_b: 'x' }],
    ['a metric name cannot be set', [], [text('__name__', 'other')], {}],
    ['a domain of the sender is moved', [], [text('domain', 'us')], { exported_domain: 'us' }],
    [
      'and moved again',
      [],
      [text('domain', 'us'), text('exported_domain', 'ap')],
      { exported_domain: 'ap', exported_exported_domain: 'us' },
    ],
    ['upper case comes before the metric name', [], [text('Zone', 'z'), text('le', '1')], { Zone: 'z', le: '1' }],
  ])('%s', (_what, resource, point, want) => {
    const { batch } = translate(metricsRequest(resource, [gauge([{ ...POINT, attributes: point }])]));
    expect(batch.series[0]?.labels).toEqual(labelsOf({ __name__: 'g', domain: 'eu', ...want }));
  });

  test('a domain among the promoted attributes is moved too', () => {
    const { batch } = translate(metricsRequest([text('domain', 'us')], [gauge([POINT])]), ['domain']);
    expect(batch.series[0]?.labels).toEqual(labelsOf({ __name__: 'g', domain: 'eu', exported_domain: 'us' }));
  });
});

test('a histogram becomes cumulative buckets, a summary quantiles', () => {
  const { batch, taken } = translate(
    metricsRequest(
      [],
      [
        {
          name: 'h',
          unit: 's',
          histogram: {
            aggregationTemporality: 2,
            dataPoints: [
              { ...POINT, count: 7, sum: 1.5, explicitBounds: [0.25, 1, Infinity], bucketCounts: [1, 2, 4, 0] },
            ],
          },
        },
        {
          name: 'q',
          summary: { dataPoints: [{ ...POINT, count: 2, sum: 3, quantileValues: [{ quantile: 0.5, value: 1 }] }] },
        },
      ],
    ),
  );
  expect(taken).toBe(2);
  expect(rows(batch)).toEqual([
    'h_seconds_sum{"domain":"eu"} 1.5',
    'h_seconds_count{"domain":"eu"} 7',
    'h_seconds_bucket{"domain":"eu","le":"0.25"} 1',
    'h_seconds_bucket{"domain":"eu","le":"1"} 3',
    'h_seconds_bucket{"domain":"eu","le":"+Inf"} 7',
    'q_sum{"domain":"eu"} 3',
    'q_count{"domain":"eu"} 2',
    'q{"domain":"eu","quantile":"0.5"} 1',
  ]);
});

test('deltas are added once, flagged points end their series, NaN is no staleness marker', () => {
  const sum = (aggregationTemporality: number, isMonotonic: boolean, point: Json) => ({
    name: 'c',
    sum: { aggregationTemporality, isMonotonic, dataPoints: [point] },
  });
  const { batch } = translate(
    metricsRequest(
      [],
      [
        sum(1, true, POINT),
        sum(1, false, POINT),
        sum(2, true, POINT),
        sum(1, true, { timeUnixNano: nanos(NOW_MS + 1), flags: 1 }),
        gauge([{ timeUnixNano: nanos(NOW_MS), asDouble: 'NaN' }]),
        {
          name: 'h',
          histogram: { aggregationTemporality: 1, dataPoints: [{ ...POINT, count: 1, bucketCounts: [1] }] },
        },
      ],
    ),
  );
  expect(rows(batch)).toEqual([
    'c_total{"domain":"eu"} 5 add once',
    'c{"domain":"eu"} 5 add once',
    'c_total{"domain":"eu"} 5',
    'c_total{"domain":"eu"} stale at 1',
    'g{"domain":"eu"} NaN',
    'h_count{"domain":"eu"} 1 add once',
    'h_bucket{"domain":"eu","le":"+Inf"} 1 add once',
  ]);
});

test('a NaN with the bits of a staleness marker is stored as a plain NaN', () => {
  const body = Buffer.from(
    metricsProtobuf(metricsRequest([], [gauge([{ timeUnixNano: nanos(NOW_MS), asDouble: 1.5 }])])),
  );
  const at = body.indexOf(Buffer.from('000000000000f83f', 'hex'));
  body.set(Buffer.from('020000000000f07f', 'hex'), at);
  const { batch } = translateBody(body);
  expect(batch.values).toEqual(Float64Array.of(NaN));
  expect(isStaleAt(batch.values, 0)).toBe(false);
});

describe('target_info', () => {
  const identity = [text('service.name', 's')];
  test.each<[what: string, resource: Json[], want: string[]]>([
    ['is left out for an identity alone', identity, []],
    ['is left out without an identity', [text('host.name', 'h')], []],
    [
      'carries what else is known',
      [...identity, text('host.name', 'h')],
      ['target_info{"domain":"eu","host_name":"h","job":"s"} 1'],
    ],
    [
      'is written once for two equal resources',
      [...identity, text('os', 'o')],
      ['target_info{"domain":"eu","job":"s","os":"o"} 1'],
    ],
  ])('%s', (_what, resource, want) => {
    const once = metricsRequest(resource, [gauge([POINT])]);
    const twice = { resourceMetrics: [once['resourceMetrics'], once['resourceMetrics']].flat() };
    const { batch } = translate(twice, []);
    expect(rows(batch).filter((line) => line.startsWith('target_info'))).toEqual(want);
  });

  test('one point of 1970 does not make millions of samples', () => {
    const points = [POINT, { ...POINT, timeUnixNano: '1000000' }];
    const { batch } = translate(metricsRequest([...identity, text('os', 'o')], [gauge(points)]));
    expect(batch.times.length).toBeLessThan(200);
    expect(batch.times.at(-1)).toBe(NOW_MS);
  });

  test('a label that is too long leaves only target_info out, with a warning', () => {
    const long = text('process.command_args', 'x'.repeat(LIMITS.labelBytes + 1));
    const { batch, rejected } = translate(metricsRequest([...identity, long], [gauge([POINT])]));
    expect(rows(batch)).toEqual(['g{"domain":"eu","job":"s","service_name":"s"} 5']);
    expect(rejected.count).toBe(0);
    expect(rejected.message).toMatch(/^target_info left out: label_too_long/);
  });
});

describe('a bad point is rejected by name and the good one is kept', () => {
  const many = Array.from({ length: LIMITS.labelsPerSeries }, (_, i) => text(`k${i}`, 'v'));
  const histogram = (point: Json, aggregationTemporality = 2) => ({
    name: 'h',
    histogram: { aggregationTemporality, dataPoints: [{ ...POINT, ...point }] },
  });
  const exponential = (point: Json) => ({
    name: 'e',
    exponentialHistogram: {
      aggregationTemporality: 2,
      dataPoints: [{ ...POINT, count: 1, positive: { bucketCounts: [1] }, ...point }],
    },
  });
  const zeros = (count: number) => Array.from({ length: count }, () => 0);
  test.each<[metric: Json, reason: string, count?: number]>([
    [{ name: 'e', exponentialHistogram: { dataPoints: [POINT, POINT] } }, 'bad_temporality', 2],
    [exponential({ scale: -5 }), 'bad_histogram'],
    [exponential({ count: 2 }), 'bad_histogram'],
    [exponential({ sum: 'NaN', count: 0 }), 'bad_histogram'],
    [exponential({ positive: { offset: 2 ** 31 - 2, bucketCounts: [1] } }), 'bad_histogram'],
    [exponential({ positive: { bucketCounts: zeros(LIMITS.bucketsPerHistogram + 1) } }), 'bad_histogram'],
    [histogram({ explicitBounds: zeros(LIMITS.boundsPerHistogram + 1).map((_, i) => i) }), 'bad_histogram'],
    [{ name: 's', sum: { dataPoints: [POINT, POINT, POINT] } }, 'bad_temporality', 3],
    [{ name: 's', sum: { aggregationTemporality: 3, dataPoints: [POINT] } }, 'bad_temporality'],
    [histogram({}, 0), 'bad_temporality'],
    [gauge([POINT], '日本'), 'bad_metric_name'],
    [gauge([POINT], 'x'.repeat(LIMITS.labelBytes + 1)), 'bad_metric_name'],
    [gauge([POINT], 'x', 'y'.repeat(LIMITS.labelBytes)), 'bad_metric_name'],
    [gauge([{ ...POINT, attributes: [text('日本', 'x')] }]), 'bad_label_name'],
    [gauge([{ ...POINT, attributes: [text('', 'x')] }]), 'bad_label_name'],
    [gauge([{ ...POINT, attributes: [text('k'.repeat(LIMITS.labelBytes + 1), 'x')] }]), 'bad_label_name'],
    [gauge([{ ...POINT, attributes: [text('k', 'x'.repeat(LIMITS.labelBytes + 1))] }]), 'label_too_long'],
    [gauge([{ ...POINT, attributes: [text('k', '😀'.repeat(LIMITS.labelBytes / 4 + 1))] }]), 'label_too_long'],
    [gauge([{ ...POINT, attributes: many }]), 'too_many_labels'],
    [gauge([{ asInt: 1 }]), 'no_timestamp'],
    [gauge([{ timeUnixNano: nanos(NOW_MS) }]), 'no_value'],
    [gauge([{ ...POINT, timeUnixNano: nanos(NOW_MS + LIMITS.futureMs + 1) }]), 'too_far_in_future'],
    [gauge([{ ...POINT, timeUnixNano: '18446744073709551615' }]), 'too_far_in_future'],
    [histogram({ explicitBounds: [1, 1], bucketCounts: [0, 0, 0] }), 'bad_histogram'],
    [histogram({ explicitBounds: [2, 1], bucketCounts: [0, 0, 0] }), 'bad_histogram'],
    [histogram({ explicitBounds: ['NaN'], bucketCounts: [0, 0] }), 'bad_histogram'],
    [histogram({ explicitBounds: [1], bucketCounts: [1] }), 'bad_histogram'],
  ])('%.60j: %s', (metric, reason, count = 1) => {
    const { batch, rejected, taken } = translate(metricsRequest([], [metric, gauge([POINT], 'good')]));
    expect(rows(batch)).toEqual(['good{"domain":"eu"} 5']);
    expect(taken).toBe(1);
    expect([...rejected.reasons]).toEqual([[reason, count]]);
    expect(rejected.count).toBe(count);
    expect(rejected.message).toMatch(new RegExp(`^${count} ${reason} \\(first: metric "`));
    expect(rejected.message.length).toBeLessThan(400);
  });

  test.each([
    [gauge([{ ...POINT, timeUnixNano: nanos(NOW_MS + LIMITS.futureMs) }])],
    [gauge([{ ...POINT, attributes: [text('k', 'x'.repeat(LIMITS.labelBytes))] }])],
    [gauge([{ ...POINT, attributes: many.slice(0, LIMITS.labelsPerSeries - 2) }])],
  ])('%.60j is at the limit and taken', (metric) => {
    expect(translate(metricsRequest([], [metric])).rejected.count).toBe(0);
  });
});

test('streams are the resources that had a point taken, and all series are in order', () => {
  const service = (name: string, points: readonly Json[]) =>
    metricsRequest([text('service.name', name), text('service.instance.id', '1'), text('Az', 'z')], [gauge(points)])[
      'resourceMetrics'
    ];
  const earlier = { ...POINT, timeUnixNano: nanos(NOW_MS - 5_000) };
  const { streams, batch } = translate({
    resourceMetrics: [
      service('a', [POINT]),
      service('b', [{}]),
      service('a', [earlier, POINT, earlier]),
      service('a', [earlier]),
    ].flat(),
  });
  const heard = (earliestMs: number, latestMs: number) => ({ job: 'a', instance: '1', earliestMs, latestMs });
  expect(streams).toEqual([
    heard(NOW_MS, NOW_MS),
    heard(NOW_MS - 5_000, NOW_MS),
    heard(NOW_MS - 5_000, NOW_MS - 5_000),
  ]);
  for (const { labels } of batch.series) expect(compareLabels(labels, labelsOf(labelsRecord(labels)))).toBe(0);
  expect(new Set(batch.modes)).toEqual(new Set([SET]));
});

test.each(['__name__', '.._name__'])('a resource attribute %s does not rename target_info', (key) => {
  const { batch } = translate(metricsRequest([text('service.name', 's'), text(key, 'other')], [gauge([POINT])]));
  const names = batch.series.map(({ labels }) => labels.filter((name, i) => i % 2 === 0 && name === '__name__').length);
  expect(new Set(names)).toEqual(new Set([1]));
});
