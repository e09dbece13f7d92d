import protobuf from 'protobufjs';
import { compress } from 'snappyjs';
import { FIRST_BUCKET, SCHEMA, type BenchSeries, type Dataset } from './dataset.ts';

/** Bodies of remote-write 1.0, of `samplesPerBatch` samples each, in the order in which a sender would send them. */
export function remoteWriteBatches(data: Dataset, scrapes: number, samplesPerBatch: number): RemoteWriteBatches {
  const labels = data.series.map(encodeLabels);
  const bodies: Buffer[] = [];
  let samples = 0;
  for (let scrape = 0; scrape < scrapes; scrape++) {
    data.scrape();
    for (let start = 0; start < data.series.length; start += samplesPerBatch) {
      const writer = new protobuf.Writer();
      const end = Math.min(start + samplesPerBatch, data.series.length);
      for (let i = start; i < end; i++) {
        const series = data.series[i]!;
        if (!series.present) continue;
        encodeSeries(writer, labels[i]!, series);
        samples++;
      }
      bodies.push(Buffer.from(compress(writer.finish())));
    }
  }
  return { bodies, samples };
}

export interface RemoteWriteBatches {
  readonly bodies: readonly Buffer[];
  readonly samples: number;
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

function encodeLabels({ labels }: BenchSeries): Uint8Array {
  const writer = new protobuf.Writer();
  for (const name of Object.keys(labels).sort()) {
    writer.uint32(TAG.label).fork();
    writer.uint32(TAG.labelName).string(name);
    writer.uint32(TAG.labelValue).string(labels[name]!);
    writer.ldelim();
  }
  return writer.finish();
}

function encodeSeries(writer: protobuf.Writer, labels: Uint8Array, series: BenchSeries): void {
  const body = new protobuf.Writer();
  if (series.kind === 'histogram') {
    encodeHistogram(body, series);
  } else {
    body.uint32(TAG.sample).fork();
    body.uint32(TAG.value).double(series.value);
    body.uint32(TAG.sampleTime).int64(series.timeMs);
    body.ldelim();
  }
  // The labels are the same in every scrape: their bytes are made once.
  writer.uint32(TAG.timeseries).bytes(Buffer.concat([labels, body.finish()]));
}

function encodeHistogram(writer: protobuf.Writer, series: BenchSeries): void {
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
}
