import protobuf from 'protobufjs';
import { histogramAt, isHistogramAt, type NativeHistogram } from '../../src/model/histogram.ts';
import type { Labels } from '../../src/model/labels.ts';
import type { SeriesColumns } from '../../src/model/series.ts';
import type { SeriesExemplars } from '../../src/model/batch.ts';
import { postWrite } from './remote-write.ts';

/** Field numbers of remote-write 1.0 (https://prometheus.io/docs/specs/prw), and wire types. */
const TIME_SERIES = { labels: 1, samples: 2, exemplars: 3, histograms: 4 };
const LENGTH = 2;
const VARINT = 0;
const FIXED64 = 1;

/**
 * Writes series with native histograms and exemplars to a Prometheus, all in one request: floats with every bit, each
 * histogram with float counts. Throws when it is not answered 204.
 */
export async function writeNatives(
  oracle: { readonly remoteWriteUrl: string },
  series: readonly SeriesColumns[],
  exemplars: readonly SeriesExemplars[] = [],
): Promise<void> {
  const writer = new protobuf.Writer();
  for (const one of series) timeSeries(writer, one.labels, () => samples(writer, one));
  for (const one of exemplars) timeSeries(writer, one.labels, () => examples(writer, one));
  await postWrite(oracle, writer.finish());
}

function tag(writer: protobuf.Writer, field: number, wireType: number): protobuf.Writer {
  return writer.uint32((field << 3) | wireType);
}

function timeSeries(writer: protobuf.Writer, labels: Labels, rest: () => void): void {
  tag(writer, 1, LENGTH).fork();
  writeLabels(writer, TIME_SERIES.labels, labels);
  rest();
  writer.ldelim();
}

function writeLabels(writer: protobuf.Writer, field: number, labels: Labels): void {
  for (let i = 0; i < labels.length; i += 2) {
    tag(writer, field, LENGTH).fork();
    tag(writer, 1, LENGTH).string(labels[i]!);
    tag(writer, 2, LENGTH).string(labels[i + 1]!);
    writer.ldelim();
  }
}

function samples(writer: protobuf.Writer, { times, values, histograms }: SeriesColumns): void {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
  for (let i = 0; i < times.length; i++) {
    if (isHistogramAt(histograms, i)) {
      tag(writer, TIME_SERIES.histograms, LENGTH).fork();
      histogram(writer, times[i]!, histogramAt(histograms, i));
      writer.ldelim();
      continue;
    }
    tag(writer, TIME_SERIES.samples, LENGTH).fork();
    // As two words: a NaN that passes through a number may lose its payload.
    tag(writer, 1, FIXED64)
      .fixed32(words[i * 2]!)
      .fixed32(words[i * 2 + 1]!);
    tag(writer, 2, VARINT).int64(times[i]!);
    writer.ldelim();
  }
}

function histogram(writer: protobuf.Writer, timeMs: number, one: NativeHistogram): void {
  const { layout } = one;
  tag(writer, 2, FIXED64).double(one.count);
  tag(writer, 3, FIXED64).double(one.sum);
  tag(writer, 4, VARINT).sint32(layout.schema);
  tag(writer, 5, FIXED64).double(layout.zeroThreshold);
  tag(writer, 7, FIXED64).double(one.zeroCount);
  spans(writer, 8, layout.negative);
  packed(writer, 10, one.negative);
  spans(writer, 11, layout.positive);
  packed(writer, 13, one.positive);
  tag(writer, 14, VARINT).int32(one.hint);
  tag(writer, 15, VARINT).int64(timeMs);
  packed(writer, 16, layout.bounds);
}

/** A span of its own for each bucket: its distance from the end of the one before, the first from zero. */
function spans(writer: protobuf.Writer, field: number, indices: Int32Array): void {
  let end = 0;
  for (const index of indices) {
    tag(writer, field, LENGTH).fork();
    tag(writer, 1, VARINT).sint32(index - end);
    tag(writer, 2, VARINT).uint32(1);
    writer.ldelim();
    end = index + 1;
  }
}

function packed(writer: protobuf.Writer, field: number, numbers: Float64Array): void {
  if (numbers.length === 0) return;
  tag(writer, field, LENGTH).fork();
  for (const one of numbers) writer.double(one);
  writer.ldelim();
}

function examples(writer: protobuf.Writer, { exemplars }: SeriesExemplars): void {
  for (const one of exemplars) {
    tag(writer, TIME_SERIES.exemplars, LENGTH).fork();
    writeLabels(writer, 1, one.labels);
    tag(writer, 2, FIXED64).double(one.value);
    tag(writer, 3, VARINT).int64(one.timeMs);
    writer.ldelim();
  }
}
