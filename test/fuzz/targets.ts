import { gzipSync, zstdCompressSync } from 'node:zlib';
import { compress } from 'snappyjs';
import { decompress, type Encoding } from '../../src/agent/request-body.ts';
import { ADMIT_ALL } from '../../src/model/admission.ts';
import { spanTranslator } from '../../src/trace/span-translator.ts';
import type { OtlpFormat } from '../../src/wire/otlp/decode.ts';
import type { OtlpTranslator } from '../../src/wire/otlp/translation.ts';
import { otlpTranslator } from '../../src/wire/otlp/translator.ts';
import { remoteWriteDecoder, type RemoteWriteMessage } from '../../src/wire/remote-write/decode.ts';
import { snappyDecoder } from '../../src/wire/snappy.ts';
import type { Random } from '../random.ts';
import {
  metricsProtobuf,
  nanos,
  randomMetricsRequest,
  span,
  text,
  traceProtobuf,
  traceRequest,
  type Json,
} from '../wire/otlp-requests.ts';
import { encode, V1, V2, type WriteSeries } from '../wire/remote-write-requests.ts';
import { admitTargets } from './admit-targets.ts';
import { bundleTargets } from './bundle-targets.ts';
import { expositionTargets } from './exposition-targets.ts';
import { federationTargets } from './federation-targets.ts';
import { receiptTargets } from './receipt-targets.ts';
import { assertBatch, type FuzzTarget } from './target.ts';

const NOW_MS = 1_767_225_600_000;
const OPTIONS = { domain: 'eu', domainLabel: 'domain', admission: ADMIT_ALL };

/** What a decompressed body may have here: small enough that a bomb which gets through is seen. */
const INFLATED_BYTES = 1024 * 1024;

/** Every decoder of bytes that come from outside, each with the caches that it keeps between requests. */
export function targets(): FuzzTarget[] {
  return [
    otlp('otlp-metrics-protobuf', otlpTranslator(OPTIONS), 'protobuf', metrics),
    otlp('otlp-metrics-json', otlpTranslator(OPTIONS), 'json', metrics),
    otlp('otlp-traces-protobuf', spanTranslator(OPTIONS), 'protobuf', traces),
    otlp('otlp-traces-json', spanTranslator(OPTIONS), 'json', traces),
    remoteWrite('remote-write-1', V1),
    remoteWrite('remote-write-2', V2),
    snappy(),
    inflated('gzip', gzipSync),
    inflated('zstd', zstdCompressSync),
    ...admitTargets(),
    ...expositionTargets(),
    ...federationTargets(),
    ...bundleTargets(),
    ...receiptTargets(),
  ];
}

function otlp(
  name: string,
  translator: OtlpTranslator,
  format: OtlpFormat,
  request: (random: Random) => { readonly json: Json; readonly protobuf: (json: Json) => Uint8Array },
): FuzzTarget {
  return {
    name,
    valid(random) {
      const { json, protobuf } = request(random);
      return format === 'json' ? Buffer.from(JSON.stringify(json)) : protobuf(json);
    },
    decode: (input) => assertBatch(translator.translate(input, format, NOW_MS).build('delivery')),
  };
}

function metrics(random: Random) {
  const json = randomMetricsRequest(random, { startMs: NOW_MS - 600_000, temporality: random.int(0, 2) });
  return { json, protobuf: metricsProtobuf };
}

function traces(random: Random) {
  const spans = Array.from({ length: random.int(1, 5) }, () => ({
    ...span(random.int(0, 6), NOW_MS, random.int(-2, 9), [text('http.route', '/a'), text('user.id', '4711')]),
    status: { code: random.int(0, 3), message: 'm' },
    events: [{ name: 'e', timeUnixNano: nanos(NOW_MS), attributes: [text('exception.type', 'E')] }],
    links: [{ traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', attributes: [text('k', 'v')] }],
  }));
  return { json: traceRequest([text('service.name', 's')], spans), protobuf: traceProtobuf };
}

function remoteWrite(name: string, message: RemoteWriteMessage): FuzzTarget {
  const decode = remoteWriteDecoder(OPTIONS);
  return {
    name,
    valid: (random) =>
      encode(
        message,
        Array.from({ length: random.int(1, 4) }, () => writeSeries(random)),
      ),
    decode: (input) => assertBatch(decode(message, input).batch),
  };
}

function writeSeries(random: Random): WriteSeries {
  const labels: [string, string][] = [
    ['__name__', random.pick(['up', 'http_requests_total', 'm'])],
    ['instance', `host-${random.int(0, 9)}`],
    ['job', 'api'],
  ];
  const timestamp = NOW_MS + random.int(0, 100_000);
  const startTimestamp = NOW_MS - random.int(0, 100_000);
  const base = { labels, metadata: { type: random.int(0, 7), help: 'h', unit: 's' } };
  if (random.chance(0.5)) {
    const exemplars = [{ labels: [['trace_id', 'abc']] as const, value: 1, timestamp }];
    return { ...base, samples: [{ value: random.float(-5, 5), timestamp, startTimestamp }], exemplars };
  }
  if (random.chance(0.3)) {
    const histogram = {
      countInt: 3,
      sum: 2,
      schema: -53,
      customValues: [0.1, 1],
      positiveSpans: [{ offset: 0, length: 3 }],
      positiveDeltas: [1, 0, 0],
      timestamp,
    };
    return { ...base, histograms: [histogram] };
  }
  const spans = [{ offset: random.int(-9, 9), length: 2 }];
  const histogram = {
    countInt: 7,
    sum: 4.5,
    schema: random.int(-4, 8),
    zeroThreshold: 0.001,
    zeroCountInt: 1,
    positiveSpans: spans,
    positiveDeltas: [1, 1],
    negativeSpans: spans,
    negativeDeltas: [2, -1],
    timestamp,
  };
  return { ...base, histograms: [histogram] };
}

function snappy(): FuzzTarget {
  const decoder = snappyDecoder(INFLATED_BYTES);
  return {
    name: 'snappy',
    valid: (random) => compress(prose(random)),
    decode: (input) => assertSize(decoder.decode(input)),
  };
}

function inflated(encoding: Encoding, pack: (bytes: Uint8Array) => Uint8Array): FuzzTarget {
  return {
    name: encoding,
    valid: (random) => pack(prose(random)),
    decode: (input) => assertSize(decompress(Buffer.from(input), encoding, INFLATED_BYTES)),
  };
}

/** Compressible bytes. */
function prose(random: Random): Uint8Array {
  const words = Array.from({ length: random.int(0, 400) }, () =>
    random.pick(['the', 'series', 'label', '\u0000', 'é']),
  );
  return Buffer.from(words.join(' '));
}

function assertSize(output: Uint8Array): void {
  if (output.length > INFLATED_BYTES) throw new Error(`${output.length} bytes came out`);
}
