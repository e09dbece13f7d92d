import { ComityError, messageOf } from '../base/errors.ts';
import { isHistogramAt } from '../model/histogram.ts';
import { rejectedCount, type Appended, type Batch } from '../model/batch.ts';
import { checkBatch } from './check-batch.ts';
import type { Deliveries } from './deliveries.ts';
import type { Exemplars } from './exemplars.ts';
import { IS_INPUT } from './head.ts';
import type { LogDb } from './log-db.ts';
import { apply, plannedColumns, rollback } from './planned.ts';
import { planBatch, type PlanTimes } from './plan-append.ts';
import type { Memtables } from './memtables.ts';
import type { MetadataTable } from './metadata.ts';
import type { Lookback } from './repetition.ts';
import { findSeries, labelsOf, removeAdded, UNKNOWN_SERIES, type SeriesTable } from './series-table.ts';
import { encodeRecord } from './write-ahead.ts';

/** All that an append touches. */
export interface AppendState {
  readonly table: SeriesTable;
  readonly tables: Memtables;
  readonly lookback: Lookback;
  readonly exemplars: Exemplars;
  readonly metadata: MetadataTable;
  readonly deliveries: Deliveries;
  /** Told of a series of which a sample that was there before is not the same. */
  readonly changed: (ref: number) => void;
  /** The number of the newest batch. */
  batches: number;
}

/**
 * Stores batches as if appended one after the other, in one transaction and one record. Returns what became of each. When it
 * throws nothing was stored: `bad_data` for columns that do not fit together, `unavailable` when the log cannot be written.
 */
export function appendBatches(state: AppendState, batches: readonly Batch[], times: PlanTimes): readonly Appended[] {
  for (const batch of batches) checkBatch(batch);
  const { table, tables, lookback, exemplars, metadata, deliveries } = state;
  try {
    const appended = batches.map((batch) => planOne(state, batch, times));
    write(state, tables.active.log);
    // The samples are durable: from here on nothing may fail.
    exemplars.commit();
    metadata.commit();
    deliveries.commit();
    apply(table.head, lookback.planned, tables.active.table, state.changed);
    table.added.length = 0;
    return appended;
  } catch (error) {
    rollback(table.head, lookback.planned);
    removeAdded(table);
    exemplars.discard();
    metadata.discard();
    deliveries.discard();
    throw error;
  }
}

function planOne(state: AppendState, batch: Batch, times: PlanTimes): Appended {
  const { table, lookback, exemplars, metadata, deliveries } = state;
  const before = batch.delivery === undefined ? undefined : deliveries.find(batch.delivery);
  if (before !== undefined) return repetition(batch, before);
  state.batches = (state.batches + 1) >>> 0;
  const refs = findSeries(table, batch.series);
  const rowsBefore = lookback.planned.count;
  const points = planBatch(table, lookback, batch, refs, state.batches, times);
  let kept = 0;
  for (const { series, timeMs, value, labels } of batch.exemplars) {
    // A series that the rows have just added may be unknown under this one of several handles.
    const own = refs[series] === UNKNOWN_SERIES ? table.index.find(labelsOf(batch.series[series]!)) : refs[series];
    const ref = own === undefined || !table.head.hasInputs ? own : seenAs(table, own);
    // What no series has observed is no example of it.
    if (ref !== undefined && exemplars.stage({ ref, timeMs, value, labels }, times.nowMs) !== 'left out') kept++;
  }
  for (const one of batch.metadata) metadata.stage(one);
  // One without rows is known from here on too: its rows are in other stores, or were stored before this one was made.
  const stores = lookback.planned.count > rowsBefore || batch.times.length === 0;
  if (batch.delivery !== undefined && stores) deliveries.stage(batch.delivery, points.rejected);
  return { ...points, exemplars: kept };
}

/** The series that shows what a series stands for: of an input, its output. */
function seenAs({ head, inputs }: SeriesTable, ref: number): number | undefined {
  return (head.flags[ref]! & IS_INPUT) === 0 ? ref : inputs.outputOf(head, ref);
}

/** The outcome of a delivery that was stored before but for what was rejected. */
function repetition(batch: Batch, rejected: Appended['rejected']): Appended {
  let repeated = 0 - rejectedCount({ rejected });
  let histograms = 0;
  for (let row = 0; row < batch.times.length; row++) {
    if (batch.continues !== undefined && batch.continues[row] !== 0) continue;
    repeated++;
    if (isHistogramAt(batch.histograms, row)) histograms++;
  }
  return { stored: 0, repeated, rejected, histograms, exemplars: batch.exemplars.length, late: undefined };
}

/** Writes everything that was planned. */
function write({ table, lookback, ...beside }: AppendState, log: LogDb): void {
  const { head, index } = table;
  const { planned } = lookback;
  const metadata = [...beside.metadata.staged];
  const { staged } = beside.exemplars;
  const deliveries = [...beside.deliveries.staged];
  if (planned.count + staged.length + metadata.length + deliveries.length === 0) return removeAdded(table);
  const added = table.added.map((ref) => ({ id: head.ids[ref]!, labels: JSON.stringify(index.labels(ref)) }));
  let record: Uint8Array | undefined;
  if (planned.count > 0) {
    const seriesIds = new Uint32Array(planned.count);
    for (let row = 0; row < planned.count; row++) seriesIds[row] = head.ids[planned.refs[row]!]!;
    record = encodeRecord({ ...plannedColumns(planned), seriesIds });
  }
  const exemplars = staged.map(({ ref, timeMs, value, labels }) => ({
    seriesId: head.ids[ref]!,
    timeMs,
    value,
    labels: JSON.stringify(labels),
  }));
  try {
    log.append(added, record, { exemplars, metadata, deliveries });
  } catch (error) {
    const reason = messageOf(error);
    const message = `the store cannot write, nothing was stored: ${reason}. Make room on its disk, and send it again`;
    throw new ComityError('unavailable', message, { cause: error });
  }
}
