import { LIMITS } from '../base/limits.ts';
import { isHistogramAt } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';
import { isStaleAt } from '../model/series.ts';
import type { ExemplarRow } from './exemplars.ts';
import { addChunk, addSeries, COLD, NO_ROW, refOfId, TAIL_CHUNK, type Head } from './head.ts';
import { addRow, setFloat, setHistogramOf, setStale, settleMany, type Pending } from './pending.ts';
import type { SeriesTable } from './series-table.ts';
import { startAt } from './starts.ts';
import type { RowKind, StoreDb } from './store-db.ts';
import { decodeRecord, type RecordColumns } from './write-ahead.ts';

/** Called with a row that cannot be read and is left out. */
export type DamagedRow = (kind: RowKind, id: number, seriesId: number, error: unknown) => void;

/** How far an open is in reading the write-ahead records back, in bytes. */
export type ReplayProgress = (done: number, total: number) => void;

/**
 * Reads the series and where their chunks lie, without the chunks' bodies. Leaves `nextId` greater than every series id
 * that any of these rows names, so that a new series never takes over a damaged one's samples.
 */
export function loadSeries(db: StoreDb, table: SeriesTable, onDamaged: DamagedRow): void {
  const { head, index } = table;
  const damaged: number[] = [];
  const seen = (id: number): number | undefined => {
    table.nextId = Math.max(table.nextId, id + 1);
    return refOfId(head, id);
  };
  for (const [id, json] of db.series()) {
    table.nextId = Math.max(table.nextId, id + 1);
    const labels = parseLabels(json);
    if (labels === undefined) {
      damaged.push(id);
      continue;
    }
    index.insert(labels);
    addSeries(head, id);
  }
  for (const [chunkId, seriesId, startMs, endMs] of db.chunks()) {
    const ref = seen(seriesId);
    if (ref === undefined) continue;
    addChunk(head, ref, chunkId, startMs, endMs);
    head.lastTimes[ref] = endMs;
  }
  for (const [seriesId, startMs, endMs] of db.tails()) {
    const ref = seen(seriesId);
    if (ref === undefined) continue;
    addChunk(head, ref, TAIL_CHUNK, startMs, endMs);
    head.lastTimes[ref] = endMs;
    head.flags[ref]! |= COLD;
  }
  head.samples = db.samples();
  // The rows are moved once nothing is being read any more: SQLite allows no write beside an open cursor.
  for (const id of damaged)
    onDamaged('series', id, id, new Error('its label set is no JSON array of names and values'));
}

/** Reads the exemplars of the series that there are, in the order in which they came. */
export function loadExemplars(db: StoreDb, head: Head, onDamaged: DamagedRow): ExemplarRow[] {
  const rows: ExemplarRow[] = [];
  for (const [id, { seriesId, timeMs, value, labels: json }] of db.annotations.exemplars(LIMITS.exemplars)) {
    const ref = refOfId(head, seriesId);
    const labels = parseLabels(json);
    if (labels === undefined) onDamaged('exemplar', id, seriesId, new Error('its label set is no JSON array'));
    else if (ref !== undefined) rows.push({ ref, timeMs, value, labels });
  }
  return rows;
}

/** An open says how far it is at least this often, in ms. */
const PROGRESS_MS = 250;

/**
 * Reads the write-ahead records in the order they were written, and makes their samples pending. Returns the records'
 * bytes, one number a record.
 */
export function replayRecords(
  db: StoreDb,
  table: SeriesTable,
  pending: Pending,
  onDamaged: DamagedRow,
  onProgress: ReplayProgress,
): readonly number[] {
  const { head } = table;
  const records = db.records();
  const sizes: number[] = [];
  const total = records.reduce((sum, [, bytes]) => sum + bytes, 0);
  let done = 0;
  let saidAt = performance.now();
  onProgress(0, total);
  for (const [id, bytes] of records) {
    done += bytes;
    let record: RecordColumns;
    try {
      record = decodeRecord(db.record(id));
    } catch (error) {
      onDamaged('record', id, 0, error);
      continue;
    }
    sizes.push(bytes);
    for (let row = 0; row < record.times.length; row++) {
      const seriesId = record.seriesIds[row]!;
      table.nextId = Math.max(table.nextId, seriesId + 1);
      const ref = refOfId(head, seriesId);
      if (ref === undefined) continue;
      table.loadTail(ref);
      replayRow(head, pending, ref, record, row);
    }
    settleMany(head, pending);
    if (performance.now() - saidAt < PROGRESS_MS || done === total) continue;
    saidAt = performance.now();
    onProgress(done, total);
  }
  onProgress(total, total);
  return sizes;
}

function replayRow(head: Head, pending: Pending, ref: number, record: RecordColumns, row: number): void {
  const { times, values, starts, histograms } = record;
  const timeMs = times[row]!;
  const last = head.lastTimes[ref]!;
  // What lies before the last sample is stored already, and so is what is at its time when that is in a sealed chunk.
  const isLast = timeMs === last && (head.counts[ref]! > 0 || head.newest[ref] !== NO_ROW);
  if (!(timeMs > last) && !isLast) return;
  const at = addRow(head, pending, ref, timeMs, startAt(starts, row));
  if (isHistogramAt(histograms, row)) setHistogramOf(head, pending, at, histograms, row);
  else if (isStaleAt(values, row)) setStale(head, pending, at, values, row);
  else setFloat(head, pending, at, values, row);
}

function parseLabels(json: string): Labels | undefined {
  try {
    const labels: unknown = JSON.parse(json);
    if (!Array.isArray(labels) || labels.length % 2 !== 0) return undefined;
    return labels.every((part) => typeof part === 'string') ? labels : undefined;
  } catch {
    return undefined;
  }
}
