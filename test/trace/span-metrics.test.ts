import { describe, expect, test } from 'vitest';
import { ADD, type Batch } from '../../src/model/batch.ts';
import { labelsRecord } from '../../src/model/labels.ts';
import { ADMIT_ALL } from '../../src/model/admission.ts';
import { LATENCY_BOUNDS_SECONDS } from '../../src/trace/span-groups.ts';
import { spanMetrics } from '../../src/trace/span-metrics.ts';
import { spanName } from '../../src/trace/span-name.ts';
import { decodeTraceRequest } from '../../src/wire/otlp/decode.ts';
import type { TranslateOptions, Translation } from '../../src/wire/otlp/translation.ts';
import { type Json, span, text, traceProtobuf, traceRequest } from '../wire/otlp-requests.ts';

const NOW_MS = Date.UTC(2026, 0, 1);
const SERVICE = [text('service.name', 'checkout'), text('service.namespace', 'shop'), text('service.instance.id', 'i')];

const OPTIONS: TranslateOptions = { domain: 'eu', domainLabel: 'domain', admission: ADMIT_ALL };

function translate(request: Json): Translation & { batch: Batch } {
  const decoded = decodeTraceRequest(traceProtobuf(request), 'protobuf');
  const translation = spanMetrics(decoded, OPTIONS, NOW_MS);
  return { ...translation, batch: translation.build() };
}

describe('span names hold nothing personal', () => {
  const http = (method: string, route: string) => [text('http.request.method', method), text('http.route', route)];
  test.each<[attributes: Json[], kind: number, want: string]>([
    [http('GET', '/users/{id}'), 2, 'GET /users/{id}'],
    [[text('http.method', 'POST'), text('http.route', '/old')], 2, 'POST /old'],
    [http('GET', '/users?mail=a@b.c'), 2, 'GET /users'],
    [http('GET', '/users\n#secret'), 2, 'GET /users\n'],
    [http('anything the client sent', '/x'), 2, 'HTTP /x'],
    [http('GET', ''), 3, 'GET'],
    [[text('rpc.service', 'shop.Orders'), text('rpc.method', 'Place')], 3, 'shop.Orders/Place'],
    [[text('rpc.method', 'Place')], 3, 'client'],
    [[text('url.full', 'https://u:p@host/secret')], 3, 'client'],
    [[], 2, 'server'],
    [[], 5, 'consumer'],
    [[], 0, 'unspecified'],
    [[], 99, 'unspecified'],
  ])('%j of kind %i: %s', (attributes, kind, want) => {
    const request = traceRequest([], [span(kind, NOW_MS, 1, attributes)]);
    const decoded = decodeTraceRequest(traceProtobuf(request), 'protobuf').resourceSpans[0]?.scopeSpans[0]?.spans[0];
    expect(decoded && spanName(decoded.attributes, decoded.kind, ADMIT_ALL)).toBe(want);
  });
});

test('spans of one request become one row a series, with cumulative buckets', () => {
  const spans = [
    span(2, NOW_MS, 2),
    span(2, NOW_MS, 3),
    span(2, NOW_MS - 60_000, 20_000),
    { ...span(2, NOW_MS, 0), status: { code: 2, message: 'failed for alice@example.org' } },
  ];
  const { batch, taken, rejected, streams } = translate(traceRequest(SERVICE, spans));
  expect(taken).toBe(4);
  expect(rejected).toMatchObject({ count: 0, message: '' });
  expect(streams).toEqual([{ job: 'shop/checkout', instance: 'i', earliestMs: NOW_MS, latestMs: NOW_MS }]);
  expect(batch.series).toHaveLength(batch.times.length);
  expect(new Set(batch.modes)).toEqual(new Set([ADD]));
  expect(new Set(batch.times)).toEqual(new Set([NOW_MS]));

  const values = new Map<string, number>();
  batch.series.forEach(({ labels }, i) => {
    const { __name__: name, status_code: status, le = '', ...rest } = labelsRecord(labels);
    expect(rest).toEqual({
      domain: 'eu',
      job: 'shop/checkout',
      service: 'checkout',
      span_kind: 'SPAN_KIND_SERVER',
      span_name: 'server',
    });
    values.set(`${name} ${status} ${le}`.trim(), batch.values[i]!);
  });
  const want: Record<string, number> = {};
  for (const [status, calls, seconds] of [
    ['STATUS_CODE_UNSET', 3, 20.005],
    ['STATUS_CODE_ERROR', 1, 0],
  ] as const) {
    want[`traces_spanmetrics_calls_total ${status}`] = calls;
    want[`traces_spanmetrics_latency_count ${status}`] = calls;
    want[`traces_spanmetrics_latency_sum ${status}`] = seconds;
    want[`traces_spanmetrics_latency_bucket ${status} +Inf`] = calls;
    for (const bound of LATENCY_BOUNDS_SECONDS) {
      const below = status === 'STATUS_CODE_ERROR' || bound === 0.002 ? 1 : 2;
      want[`traces_spanmetrics_latency_bucket ${status} ${bound}`] = below;
    }
  }
  expect(Object.fromEntries(values)).toEqual(want);
});

test('the bounds are powers of two times two milliseconds', () => {
  expect(LATENCY_BOUNDS_SECONDS).toEqual(Array.from({ length: 14 }, (_, i) => 0.002 * 2 ** i));
});

describe('a malformed span is rejected by name and the good one is kept', () => {
  const good = span(2, NOW_MS, 1);
  test.each<[what: string, resource: Json[], bad: Json, reason: string]>([
    ['ends before it starts', SERVICE, span(2, NOW_MS, -1), 'bad_span'],
    ['has no start', SERVICE, { ...good, startTimeUnixNano: 0 }, 'bad_span'],
    ['has no end', SERVICE, { ...good, endTimeUnixNano: 0 }, 'bad_span'],
    ['has no service', [text('host.name', 'h')], good, 'no_service'],
    ['has an empty service', [text('service.name', '')], good, 'no_service'],
    [
      'has an endless route',
      SERVICE,
      span(2, NOW_MS, 1, [text('http.method', 'GET'), text('http.route', '/'.repeat(5000))]),
      'label_too_long',
    ],
    ['has an endless service', [text('service.name', 's'.repeat(5000))], good, 'label_too_long'],
  ])('%s', (_what, resource, bad, reason) => {
    const resourceSpans = [traceRequest(resource, [bad]), traceRequest(SERVICE, [good])].flatMap(
      (r) => r['resourceSpans'],
    );
    const { taken, rejected, batch } = translate({ resourceSpans });
    expect(taken).toBe(1);
    expect([...rejected.reasons]).toEqual([[reason, 1]]);
    expect(rejected.message).toMatch(new RegExp(`^1 ${reason} \\(first: span "b7ad6b7169203331": `));
    expect(batch.values[0]).toBe(1);
  });
});
