import protobuf from 'protobufjs';
import { compress } from 'snappyjs';
import type { Labels } from '../../src/model/labels.ts';
import type { SeriesColumns } from '../../src/model/series.ts';

/**
 * Slices are shorter than the hour that a fresh Prometheus looks back from the first sample of a request, so that
 * series whose times differ do not push one another out of bounds.
 */
const SLICE_MS = 30 * 60 * 1000;

/** Samples in one request; remote-write senders batch to a few thousand. */
const SAMPLES_PER_REQUEST = 10_000;

/** Field numbers and wire types of remote-write 1.0 as protobuf tags (https://prometheus.io/docs/specs/prw). */
const TAG = { timeseries: 0x0a, label: 0x0a, sample: 0x12, labelName: 0x0a, labelValue: 0x12, value: 0x09, time: 0x10 };

/**
 * Writes series to a Prometheus by remote-write 1.0: oldest samples first, over all series, and every bit of a value
 * as it is (staleness markers are NaNs that differ in their bits alone). Throws when a request is not answered 204:
 * Prometheus refuses, for one, samples more than ten minutes ahead of its clock.
 */
export async function remoteWrite(
  oracle: { readonly remoteWriteUrl: string },
  series: readonly SeriesColumns[],
): Promise<void> {
  for (const request of requests(series)) await postWrite(oracle, request);
}

/** Sends a write request of remote-write 1.0. Throws when it is not answered 204. */
export async function postWrite(oracle: { readonly remoteWriteUrl: string }, request: Uint8Array): Promise<void> {
  const response = await fetch(oracle.remoteWriteUrl, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/x-protobuf',
      'Content-Encoding': 'snappy',
      'X-Prometheus-Remote-Write-Version': '0.1.0',
    },
    body: new Uint8Array(compress(request)),
  });
  const text = await response.text();
  if (response.status !== 204) throw new Error(`the oracle refused a write: ${response.status} ${text.trim()}`);
}

/** All samples of the series as one request of remote-write 1.0, not compressed. */
export function encodeWriteRequest(series: readonly SeriesColumns[]): Uint8Array {
  const writer = new protobuf.Writer();
  for (const one of series) encodeSeries(writer, one, 0, one.times.length);
  return writer.finish();
}

/** The series as write requests in the order of time. */
function* requests(series: readonly SeriesColumns[]): Generator<Uint8Array> {
  const next = series.map(() => 0);
  let writer = new protobuf.Writer();
  let samples = 0;
  for (let start = firstTime(series, next); start !== Infinity; start = firstTime(series, next)) {
    for (const [index, one] of series.entries()) {
      const from = next[index]!;
      let to = from;
      while (to < one.times.length && one.times[to]! < start + SLICE_MS && to - from < SAMPLES_PER_REQUEST) to++;
      if (to === from) continue;
      next[index] = to;
      encodeSeries(writer, one, from, to);
      samples += to - from;
      if (samples < SAMPLES_PER_REQUEST) continue;
      yield writer.finish();
      writer = new protobuf.Writer();
      samples = 0;
    }
    if (samples === 0) continue;
    yield writer.finish();
    writer = new protobuf.Writer();
    samples = 0;
  }
}

/** The time of the oldest sample that is not written yet; Infinity when all are. */
function firstTime(series: readonly SeriesColumns[], next: readonly number[]): number {
  let first = Infinity;
  for (const [index, one] of series.entries()) first = Math.min(first, one.times[next[index]!] ?? Infinity);
  return first;
}

function encodeSeries(writer: protobuf.Writer, { labels, times, values }: SeriesColumns, from: number, to: number) {
  // The bits are copied as two words: a NaN that passes through a number may lose its payload.
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
  writer.uint32(TAG.timeseries).fork();
  encodeLabels(writer, labels);
  for (let i = from; i < to; i++) {
    writer.uint32(TAG.sample).fork();
    writer
      .uint32(TAG.value)
      .fixed32(words[i * 2]!)
      .fixed32(words[i * 2 + 1]!);
    writer.uint32(TAG.time).int64(times[i]!);
    writer.ldelim();
  }
  writer.ldelim();
}

function encodeLabels(writer: protobuf.Writer, labels: Labels): void {
  for (let i = 0; i < labels.length; i += 2) {
    writer.uint32(TAG.label).fork();
    writer.uint32(TAG.labelName).string(labels[i]!);
    writer.uint32(TAG.labelValue).string(labels[i + 1]!);
    writer.ldelim();
  }
}
