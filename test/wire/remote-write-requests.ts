import { expect } from 'vitest';
import { messageCodec } from '../../src/base/proto.ts';
import { ADMIT_ALL } from '../../src/model/admission.ts';
import type { Appended, Batch } from '../../src/model/batch.ts';
import { histogramAt, isHistogramAt } from '../../src/model/histogram.ts';
import { labelsRecord } from '../../src/model/labels.ts';
import { isStaleAt, type SeriesColumns } from '../../src/model/series.ts';
import {
  remoteWriteDecoder,
  type DecodedWrite,
  type RemoteWriteDecoder,
  type RemoteWriteMessage,
} from '../../src/wire/remote-write/decode.ts';

/** A series of either version: in 1.0 without starts and metadata. */
export interface WriteSeries {
  readonly labels: readonly (readonly [string, string])[];
  readonly samples?: readonly WriteSample[];
  readonly histograms?: readonly WriteHistogram[];
  readonly exemplars?: readonly WriteExemplar[];
  readonly metadata?: { readonly type: number; readonly help: string; readonly unit: string };
}

export interface WriteSample {
  readonly value: number;
  readonly timestamp: number;
  readonly startTimestamp?: number;
}

export interface WriteExemplar {
  readonly labels: readonly (readonly [string, string])[];
  readonly value: number;
  readonly timestamp: number;
}

/** A Histogram message; names as protobufjs has them. */
export interface WriteHistogram {
  readonly countInt?: number;
  readonly countFloat?: number;
  readonly sum?: number;
  readonly schema?: number;
  readonly zeroThreshold?: number;
  readonly zeroCountInt?: number;
  readonly zeroCountFloat?: number;
  readonly negativeSpans?: readonly WriteSpan[];
  readonly negativeDeltas?: readonly number[];
  readonly negativeCounts?: readonly number[];
  readonly positiveSpans?: readonly WriteSpan[];
  readonly positiveDeltas?: readonly number[];
  readonly positiveCounts?: readonly number[];
  readonly resetHint?: number;
  readonly timestamp?: number;
  readonly startTimestamp?: number;
  readonly customValues?: readonly number[];
}

export interface WriteSpan {
  readonly offset: number;
  readonly length: number;
}

export interface WriteMetadata {
  readonly type: number;
  readonly metricFamilyName: string;
  readonly help: string;
  readonly unit: string;
}

export const V1: RemoteWriteMessage = 'prometheus.WriteRequest';
export const V2: RemoteWriteMessage = 'io.prometheus.write.v2.Request';

const v1 = messageCodec('prometheus/write_v1.proto', V1);
const v2 = messageCodec('prometheus/write_v2.proto', V2);

/** Stands for a staleness marker in the requests of this file: an encoder in JavaScript may not keep a NaN's bits. */
export const STALE = 4.940656458412e-310;

export function encodeV1(series: readonly WriteSeries[], metadata: readonly WriteMetadata[] = []): Buffer {
  const timeseries = series.map((one) => ({
    labels: one.labels.map(([name, value]) => ({ name, value })),
    samples: one.samples ?? [],
    exemplars: (one.exemplars ?? []).map((exemplar) => ({
      ...exemplar,
      labels: exemplar.labels.map(([name, value]) => ({ name, value })),
    })),
    histograms: one.histograms ?? [],
  }));
  return withStaleBits(v1.encode({ timeseries, metadata }));
}

export function encodeV2(series: readonly WriteSeries[]): Buffer {
  const refs = new Map([['', 0]]);
  const ref = (text: string): number => {
    if (!refs.has(text)) refs.set(text, refs.size);
    return refs.get(text)!;
  };
  const timeseries = series.map((one) => ({
    labelsRefs: one.labels.flat().map(ref),
    samples: one.samples ?? [],
    histograms: one.histograms ?? [],
    exemplars: (one.exemplars ?? []).map((exemplar) => ({ ...exemplar, labelsRefs: exemplar.labels.flat().map(ref) })),
    ...(one.metadata === undefined
      ? {}
      : { metadata: { type: one.metadata.type, helpRef: ref(one.metadata.help), unitRef: ref(one.metadata.unit) } }),
  }));
  return withStaleBits(v2.encode({ symbols: [...refs.keys()], timeseries }));
}

/** A message of 2.0 as it is, for faults that `encodeV2` cannot make. */
export function encodeRawV2(message: object): Buffer {
  return withStaleBits(v2.encode(message));
}

export function encode(message: RemoteWriteMessage, series: readonly WriteSeries[]): Buffer {
  return message === V1 ? encodeV1(series) : encodeV2(series);
}

export function decoder(cacheBytes?: number): RemoteWriteDecoder {
  return remoteWriteDecoder({ domain: 'eu', domainLabel: 'domain', admission: ADMIT_ALL }, cacheBytes);
}

export const T = 1_767_225_600_000;

/** The labels of a series, and what they are once they are received. */
export const UP = [
  ['__name__', 'up'],
  ['instance', 'a:1'],
  ['job', 'api'],
] as const;
export const UP_LABELS = { __name__: 'up', domain: 'eu', instance: 'a:1', job: 'api' };

/** What is decoded of these series, which must be the same in both versions. */
export function both(series: readonly WriteSeries[]): Outcome {
  const first = outcome(decoder()(V1, encodeV1(series)));
  const second = outcome(decoder()(V2, encodeV2(series)));
  expect(second).toEqual(first);
  return first;
}

/** A row of a batch to be compared. */
export interface Row {
  readonly labels: Readonly<Record<string, string>>;
  readonly timeMs: number;
  readonly startMs: number;
  /** 'stale' is a staleness marker; other NaNs are NaN. */
  readonly value: number | 'stale' | HistogramRow;
}

export interface HistogramRow {
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly hint: number;
  readonly count: number;
  readonly sum: number;
  readonly zeroCount: number;
  /** Index and count. */
  readonly positive: readonly (readonly [number, number])[];
  readonly negative: readonly (readonly [number, number])[];
  readonly bounds: readonly number[];
}

export function rowsOf(batch: Batch): Row[] {
  return Array.from(batch.times, (timeMs, i) => ({
    labels: labelsRecord(batch.series[batch.seriesOf[i]!]!.labels),
    timeMs,
    startMs: batch.startTimes?.[i] ?? 0,
    value: valueAt(batch, i),
  }));
}

/** The rows and what was left out, by reason. */
export interface Outcome {
  readonly rows: Row[];
  readonly leftOut: Record<string, number>;
}

export function outcome(decoded: DecodedWrite): Outcome {
  const leftOut: Record<string, number> = {};
  for (const [reason, { count }] of decoded.leftOut.reasons) leftOut[reason] = count;
  return { rows: rowsOf(decoded.batch), leftOut };
}

export function allStored(batch: Batch): Appended {
  return {
    stored: batch.times.length,
    repeated: 0,
    rejected: new Map(),
    histograms: batch.histograms?.layoutOf.filter((layout) => layout >= 0).length ?? 0,
    exemplars: batch.exemplars.length,
  };
}

/** The value of a row of a batch, or of a sample of a series. */
export function valueAt({ values, histograms }: Pick<SeriesColumns, 'values' | 'histograms'>, i: number): Row['value'] {
  if (isHistogramAt(histograms, i)) {
    const { layout, hint, count, sum, zeroCount, positive, negative } = histogramAt(histograms, i);
    const pairs = (indexes: Int32Array, counts: Float64Array) => {
      return Array.from(indexes, (index, k) => [index, counts[k]!] as const);
    };
    return {
      schema: layout.schema,
      zeroThreshold: layout.zeroThreshold,
      hint,
      count,
      sum,
      zeroCount,
      positive: pairs(layout.positive, positive),
      negative: pairs(layout.negative, negative),
      bounds: [...layout.bounds],
    };
  }
  return isStaleAt(values, i) ? 'stale' : values[i]!;
}

/** Puts the bits of a staleness marker where `STALE` stands. */
function withStaleBits(encoded: Uint8Array): Buffer {
  const bytes = Buffer.from(encoded);
  const mark = Buffer.alloc(8);
  mark.writeDoubleLE(STALE);
  for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 8)) {
    bytes.writeBigUInt64LE(0x7ff0000000000002n, at);
  }
  return bytes;
}
