import protobuf from 'protobufjs';
import { compress } from 'snappyjs';
import { byteWriter, varintBytes, type ByteWriter } from './byte-writer.ts';
import { CLASSIC_BOUNDS, FIRST_BUCKET, SCHEMA, timeSeriesOf, type BenchSeries, type Dataset } from './dataset.ts';

/** One scrape of all series as bodies of remote-write 1.0. */
export interface ScrapeBatches {
  readonly bodies: readonly Buffer[];
  readonly samples: number;
}

export const REMOTE_WRITE_PATH = '/api/v1/write';

export const REMOTE_WRITE_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'application/x-protobuf',
  'content-encoding': 'snappy',
  'x-prometheus-remote-write-version': '0.1.0',
};

/** As senders batch by default. */
const SAMPLES_PER_BATCH = 2_000;

/**
 * The next scrapes of the data, some 2,000 samples to a body. Only one scrape is held at a time. The same series are at the
 * same place of each scrape, so a sender that keeps to lanes by place keeps each series in order.
 */
export function* remoteWriteScrapes(data: Dataset, scrapes: number): Generator<ScrapeBatches> {
  const labels = packLabels(data);
  const request = byteWriter();
  for (let scrape = 0; scrape < scrapes; scrape++) {
    data.scrape();
    const bodies: Buffer[] = [];
    let samples = 0;
    let next = 0;
    let inBatch = 0;
    const finish = (): void => {
      // What the compression answers is part of a buffer for the worst case.
      bodies.push(Buffer.from(compress(request.taken())));
      request.clear();
      inBatch = 0;
    };
    for (const series of data.series) {
      const first = next;
      next += timeSeriesOf(series.kind);
      // One that is missing takes its place all the same.
      inBatch += next - first;
      if (series.present) {
        samples += next - first;
        encodeSeries(request, labels, first, series);
      }
      if (inBatch >= SAMPLES_PER_BATCH) finish();
    }
    if (inBatch > 0) finish();
    yield { bodies, samples };
  }
}

/** Field numbers and wire types of remote-write 1.0 as protobuf tags (https://prometheus.io/docs/specs/prw). */
const TAG = {
  timeseries: 0x0a,
  label: 0x0a,
  labelName: 0x0a,
  labelValue: 0x12,
  sample: 0x12,
  value: 0x09,
  sampleTime: 0x10,
  histogram: 0x22,
  countInt: 0x08,
  sum: 0x19,
  schema: 0x20,
  zeroThreshold: 0x29,
  zeroCountInt: 0x30,
  positiveSpans: 0x5a,
  positiveDeltas: 0x62,
  histogramTime: 0x78,
  spanOffset: 0x08,
  spanLength: 0x10,
};

/** The zero bucket that Prometheus's own clients begin with: 2^-128. */
const ZERO_THRESHOLD = 2 ** -128;

/** Encoded labels of time series one behind the other: a million of them are too many for objects. */
interface PackedLabels {
  readonly bytes: Uint8Array;
  /** Where each begins, and the end. */
  readonly starts: Float64Array;
}

/** They are the same in every scrape: their bytes are made once. */
function packLabels({ series }: Dataset): PackedLabels {
  const all = byteWriter();
  const starts = [0];
  for (const one of series) {
    for (const labels of labelSets(one)) {
      all.bytes(encodeLabels(labels));
      starts.push(all.taken().length);
    }
  }
  return { bytes: all.taken(), starts: Float64Array.from(starts) };
}

/** The labels of each time series that one is sent as. */
function labelSets({ kind, labels }: BenchSeries): Readonly<Record<string, string>>[] {
  if (kind !== 'classic') return [labels];
  const name = labels['__name__'];
  return [
    ...[...CLASSIC_BOUNDS.map(String), '+Inf'].map((le) => ({ ...labels, __name__: `${name}_bucket`, le })),
    { ...labels, __name__: `${name}_sum` },
    { ...labels, __name__: `${name}_count` },
  ];
}

function encodeLabels(labels: Readonly<Record<string, string>>): Uint8Array {
  const writer = new protobuf.Writer();
  for (const name of Object.keys(labels).sort()) {
    writer.uint32(TAG.label).fork();
    writer.uint32(TAG.labelName).string(name);
    writer.uint32(TAG.labelValue).string(labels[name]!);
    writer.ldelim();
  }
  return writer.finish();
}

/** `first`: where its labels begin. */
function encodeSeries(request: ByteWriter, { bytes, starts }: PackedLabels, first: number, series: BenchSeries): void {
  const open = (i: number, sampleBytes: number): void => {
    const labels = bytes.subarray(starts[first + i], starts[first + i + 1]);
    request.byte(TAG.timeseries);
    request.varint(labels.length + sampleBytes);
    request.bytes(labels);
  };
  if (series.kind === 'histogram') {
    const histogram = encodeHistogram(series);
    open(0, histogram.length);
    request.bytes(histogram);
    return;
  }
  const values = series.kind === 'classic' ? classicValues(series) : [series.value];
  const sampleBytes = 1 + 8 + 1 + varintBytes(series.timeMs);
  for (const [i, value] of values.entries()) {
    open(i, 2 + sampleBytes);
    request.byte(TAG.sample);
    request.varint(sampleBytes);
    request.byte(TAG.value);
    request.double(value);
    request.byte(TAG.sampleTime);
    request.varint(series.timeMs);
  }
}

/** In the order of `labelSets`: cumulative counts, sum, count. */
function classicValues({ buckets, sum, count }: BenchSeries): number[] {
  let below = 0;
  return [...buckets.map((inBucket) => (below += inBucket)), sum, count];
}

function encodeHistogram(series: BenchSeries): Uint8Array {
  const writer = new protobuf.Writer();
  writer.uint32(TAG.histogram).fork();
  writer.uint32(TAG.countInt).uint64(series.count);
  writer.uint32(TAG.sum).double(series.sum);
  writer.uint32(TAG.schema).sint32(SCHEMA);
  writer.uint32(TAG.zeroThreshold).double(ZERO_THRESHOLD);
  writer.uint32(TAG.zeroCountInt).uint64(0);
  writer.uint32(TAG.positiveSpans).fork();
  writer.uint32(TAG.spanOffset).sint32(FIRST_BUCKET).uint32(TAG.spanLength).uint32(series.buckets.length);
  writer.ldelim();
  writer.uint32(TAG.positiveDeltas).fork();
  let before = 0;
  for (const count of series.buckets) {
    writer.sint64(count - before);
    before = count;
  }
  writer.ldelim();
  writer.uint32(TAG.histogramTime).int64(series.timeMs);
  writer.ldelim();
  return writer.finish();
}
