import { ComityError } from '../base/errors.ts';
import { isHistogramAt } from '../model/histogram.ts';
import { rejectedCount, type Appended, type Batch } from '../model/batch.ts';
import { checkBatch } from './check-batch.ts';
import type { Deliveries } from './deliveries.ts';
import type { Exemplars } from './exemplars.ts';
import type { Head } from './head.ts';
import type { MetadataTable } from './metadata.ts';
import { markOf, rollback, rowsFrom, settleMany, type Mark, type Pending } from './pending.ts';
import { planBatch } from './plan-append.ts';
import { findSeries, truncateSeries, UNKNOWN_SERIES, type SeriesTable } from './series-table.ts';
import type { StoreDb } from './store-db.ts';
import { encodeRecord } from './write-ahead.ts';

/** All that an append touches. */
export interface AppendState {
  readonly db: StoreDb;
  readonly table: SeriesTable;
  readonly pending: Pending;
  readonly exemplars: Exemplars;
  readonly metadata: MetadataTable;
  readonly deliveries: Deliveries;
  /** The number of the newest batch. */
  batches: number;
}

/** About what an exemplar and a family of metadata weigh in the database. */
const EXEMPLAR_BYTES = 256;

/**
 * Stores batches as if appended one after the other, in one transaction and one record. Returns what became of each, and
 * the bytes of the transaction; 0 when there was nothing to store. When it throws nothing was stored: `bad_data` for
 * columns that do not fit together, `unavailable` when the database cannot be written.
 */
export function appendBatches(
  state: AppendState,
  batches: readonly Batch[],
  nowMs: number,
): { readonly appended: readonly Appended[]; readonly bytes: number } {
  for (const batch of batches) checkBatch(batch);
  const { table, pending, exemplars, metadata, deliveries } = state;
  const { head } = table;
  const mark = markOf(head, pending);
  const seriesBefore = head.size;
  try {
    const appended = batches.map((batch) => planOne(state, batch, nowMs));
    const bytes = write(state, mark, seriesBefore);
    // The samples are durable: from here on nothing may fail.
    exemplars.commit();
    metadata.commit();
    deliveries.commit();
    settleMany(head, pending);
    return { appended, bytes };
  } catch (error) {
    rollback(head, pending, mark);
    truncateSeries(table, seriesBefore);
    exemplars.discard();
    metadata.discard();
    deliveries.discard();
    throw error;
  }
}

function planOne(state: AppendState, batch: Batch, nowMs: number): Appended {
  const { table, pending, exemplars, metadata, deliveries } = state;
  const before = batch.delivery === undefined ? undefined : deliveries.find(batch.delivery);
  if (before !== undefined) return repetition(batch, before);
  state.batches = (state.batches + 1) >>> 0;
  const refs = findSeries(table, batch.series);
  const rowsBefore = pending.count;
  const points = planBatch(table, pending, batch, refs, state.batches, nowMs);
  let kept = 0;
  for (const { series, timeMs, value, labels } of batch.exemplars) {
    // A series that the rows have just added may be unknown under this one of several handles.
    const ref = refs[series] === UNKNOWN_SERIES ? table.index.find(batch.series[series]!.labels) : refs[series];
    // What no series has observed is no example of it.
    if (ref !== undefined && exemplars.stage({ ref, timeMs, value, labels }, nowMs) !== 'left out') kept++;
  }
  for (const one of batch.metadata) metadata.stage(one);
  if (batch.delivery !== undefined && pending.count > rowsBefore) deliveries.stage(batch.delivery, points.rejected);
  return { ...points, exemplars: kept };
}

/** The outcome of a delivery that was stored before but for what was rejected. */
function repetition(batch: Batch, rejected: Appended['rejected']): Appended {
  let repeated = -rejectedCount({ rejected });
  let histograms = 0;
  for (let row = 0; row < batch.times.length; row++) {
    if (batch.continues !== undefined && batch.continues[row] !== 0) continue;
    repeated++;
    if (isHistogramAt(batch.histograms, row)) histograms++;
  }
  return { stored: 0, repeated, rejected, histograms, exemplars: batch.exemplars.length };
}

/** Writes everything that was planned since the mark; returns about how many bytes that were. */
function write({ db, table, pending, ...beside }: AppendState, mark: Mark, seriesBefore: number): number {
  const { head, index } = table;
  const metadata = [...beside.metadata.staged];
  const { staged } = beside.exemplars;
  const rows = pending.count - mark.row;
  if (rows === 0 && staged.length === 0 && metadata.length === 0) return 0;
  const added = Array.from({ length: head.size - seriesBefore }, (_, i) => ({
    id: head.ids[seriesBefore + i]!,
    labels: JSON.stringify(index.labels(seriesBefore + i)),
  }));
  const record =
    rows === 0 ? undefined : encodeRecord({ ...rowsFrom(pending, mark), seriesIds: idsFrom(head, pending, mark) });
  const exemplars = staged.map(({ ref, timeMs, value, labels }) => ({
    seriesId: head.ids[ref]!,
    timeMs,
    value,
    labels: JSON.stringify(labels),
  }));
  try {
    db.append(added, record, { exemplars, metadata, deliveries: beside.deliveries.staged });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `the store cannot write, nothing was stored: ${reason}. Make room on its disk, and send it again`;
    throw new ComityError('unavailable', message, { cause: error });
  }
  return (record?.length ?? 0) + exemplars.length * EXEMPLAR_BYTES;
}

function idsFrom({ ids }: Head, pending: Pending, mark: Mark): Uint32Array {
  const seriesIds = new Uint32Array(pending.count - mark.row);
  for (let i = 0; i < seriesIds.length; i++) seriesIds[i] = ids[pending.refs[mark.row + i]!]!;
  return seriesIds;
}
