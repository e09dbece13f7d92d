import {
  NO_ID,
  NO_REF,
  RELEASED,
  seriesHandle,
  type Appended,
  type Batch,
  type Exemplar,
  type Metadata,
  type SeriesHandle,
} from '../model/batch.ts';
import type { Labels } from '../model/labels.ts';
import {
  measureHistograms,
  packHistograms,
  unpackHistograms,
  type MeasuredHistograms,
  type PackedHistograms,
} from './append-histograms.ts';
import { bufferRoom, filled, type BufferRoom } from './buffer-room.ts';
import { neededLabels } from './router.ts';

/**
 * Batches on their way to a shard's worker. Their columns are views of one buffer, which goes by transfer, and comes back
 * with the answer to be used again: so that neither thread has garbage to collect.
 */
export interface AppendMessage {
  readonly settledUntilMs: number;
  readonly batches: readonly PackedBatch[];
  /** The label sets that the store has given no reference yet. */
  readonly fresh: FreshSeries;
  readonly buffer: ArrayBuffer;
}

/** Label sets by the indexes of their texts, each of which is there once. */
export interface FreshSeries {
  readonly texts: readonly string[];
  /** Texts of each label set. */
  readonly sizes: Uint32Array;
  readonly indexes: Uint32Array;
}

/** A batch whose series are the store's references and ids; a reference below zero is fresh series -1 - reference. */
export interface PackedBatch extends Omit<Batch, 'series' | 'histograms'> {
  readonly refs: Int32Array;
  readonly ids: Float64Array;
  readonly histograms: PackedHistograms | undefined;
  readonly exemplars: readonly Exemplar[];
  readonly metadata: readonly Metadata[];
}

/** What became of the batches, with reference and id of each fresh series. */
export type AppendReply =
  | { readonly appended: readonly Appended[]; readonly refs: Int32Array; readonly ids: Float64Array }
  /** Ids of series that are gone: nothing was appended, their labels are needed. */
  | { readonly gone: Float64Array };

/** A message, and the handles that it tells of in `fresh`. */
export interface PackedAppend {
  readonly message: AppendMessage;
  readonly freshHandles: readonly SeriesHandle[];
}

/** A buffer beyond this is not kept for the next message. */
const BUFFER_BYTES_KEPT = 8 * 1024 * 1024;

/**
 * Copies batches into a message: they stay as they are for whoever sent them. `spare` is a buffer to be used if it is large
 * enough. Throws `unavailable` where labels are needed that are forgotten.
 */
export function packBatches(
  batches: readonly Batch[],
  settledUntilMs: number,
  spare: ArrayBuffer | undefined,
): PackedAppend {
  const fresh = freshCollector();
  const histograms = batches.map((batch) => batch.histograms && measureHistograms(batch.histograms));
  let bytes = 0;
  for (const [i, batch] of batches.entries()) bytes += bytesOfBatch(batch) + (histograms[i]?.bytes ?? 0);
  const reusable = spare !== undefined && spare.byteLength >= bytes && spare.byteLength <= BUFFER_BYTES_KEPT;
  // With some to spare, since the next message is as large but for a few rows.
  const room = bufferRoom(reusable ? spare : new ArrayBuffer(bytes + (bytes >>> 2)));
  const packed = batches.map((batch, i) => packBatch(batch, fresh, room, histograms[i]));
  const message = { settledUntilMs, batches: packed, fresh: fresh.build(), buffer: room.buffer };
  return { message, freshHandles: fresh.handles };
}

/** Takes ids that mean nothing any more out of the handles. */
export function forgetSeries(batches: readonly Batch[], gone: Float64Array): void {
  const ids = new Set(gone);
  for (const { series } of batches) {
    for (const handle of series) {
      if (!ids.has(handle.id)) continue;
      handle.ref = NO_REF;
      handle.id = NO_ID;
    }
  }
}

/**
 * The batches of a message, and its fresh series. The handles of the others are those of `pool`, which is filled up as
 * needed: they are good until the next message is unpacked.
 */
export function unpackBatches(
  message: AppendMessage,
  pool: SeriesHandle[],
): { readonly batches: readonly Batch[]; readonly fresh: readonly SeriesHandle[] } {
  const fresh = unpackFresh(message.fresh);
  let used = 0;
  const batches = message.batches.map(({ refs, ids, histograms, ...columns }): Batch => {
    const series: SeriesHandle[] = [];
    for (let i = 0; i < refs.length; i++) {
      const ref = refs[i]!;
      if (ref < 0) {
        series.push(fresh[-1 - ref]!);
        continue;
      }
      if (used === pool.length) pool.push(seriesHandle(RELEASED));
      const handle = pool[used++]!;
      handle.labels = RELEASED;
      handle.ref = ref;
      handle.id = ids[i]!;
      series.push(handle);
    }
    return { ...columns, series, histograms: histograms && unpackHistograms(histograms) };
  });
  return { batches, fresh };
}

interface FreshCollector {
  readonly handles: SeriesHandle[];
  /** The reference that stands for a label set that has none, in this message. */
  refOf(handle: SeriesHandle): number;
  build(): FreshSeries;
}

function freshCollector(): FreshCollector {
  const handles: SeriesHandle[] = [];
  const places = new Map<SeriesHandle, number>();
  const texts: string[] = [];
  const textAt = new Map<string, number>();
  const sizes: number[] = [];
  const indexes: number[] = [];
  return {
    handles,
    refOf(handle) {
      const known = places.get(handle);
      if (known !== undefined) return -1 - known;
      const labels = neededLabels(handle);
      for (const text of labels) {
        let at = textAt.get(text);
        if (at === undefined) textAt.set(text, (at = texts.push(text) - 1));
        indexes.push(at);
      }
      sizes.push(labels.length);
      places.set(handle, handles.length);
      return -handles.push(handle);
    },
    build: () => ({ texts, sizes: Uint32Array.from(sizes), indexes: Uint32Array.from(indexes) }),
  };
}

function unpackFresh({ texts, sizes, indexes }: FreshSeries): SeriesHandle[] {
  const handles: SeriesHandle[] = [];
  let at = 0;
  for (const size of sizes) {
    const labels: string[] = [];
    for (const end = at + size; at < end; at++) labels.push(texts[indexes[at]!]!);
    handles.push(seriesHandle(labels satisfies Labels));
  }
  return handles;
}

/** Two numbers for each series and up to 30 bytes a row, in nine columns that begin at whole words. */
function bytesOfBatch({ series, times }: Batch): number {
  return series.length * 12 + times.length * 30 + 9 * 8;
}

function packBatch(
  batch: Batch,
  fresh: FreshCollector,
  room: BufferRoom,
  measured: MeasuredHistograms | undefined,
): PackedBatch {
  const { series, seriesOf, times, values, modes, startTimes, continues, exemplars, metadata, delivery } = batch;
  const refs = room.integers(series.length);
  const ids = room.doubles(series.length);
  for (let i = 0; i < refs.length; i++) {
    const handle = series[i]!;
    refs[i] = handle.id === NO_ID ? fresh.refOf(handle) : handle.ref;
    ids[i] = handle.id;
  }
  return {
    refs,
    ids,
    seriesOf: filled(room.words(seriesOf.length), seriesOf),
    times: filled(room.doubles(times.length), times),
    values: filled(room.doubles(values.length), values),
    modes: filled(room.bytes(modes.length), modes),
    startTimes: startTimes && filled(room.doubles(startTimes.length), startTimes),
    continues: continues && filled(room.bytes(continues.length), continues),
    histograms: measured && packHistograms(measured, room),
    exemplars,
    metadata,
    delivery,
  };
}
