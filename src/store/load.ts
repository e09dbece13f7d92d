import { LIMITS } from '../base/limits.ts';
import { isHistogramAt } from '../model/histogram.ts';
import { INPUT_LABEL } from '../model/input-label.ts';
import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import { isStaleAt } from '../model/series.ts';
import type { ChunkColumns } from './codec/chunk.ts';
import type { ExemplarRow } from './exemplars.ts';
import type { HeadDb, QuarantineRow } from './head-db.ts';
import { BASE_IS_HISTOGRAM, ENDS_STALE, refOfId, startSeries, type Head } from './head.ts';
import type { LogDb } from './log-db.ts';
import type { Memtable } from './memtable.ts';
import { addLateRow, addRow, apply, noRows, setFloat, setHistogramOf, setStale, type Planned } from './planned.ts';
import type { SeriesTable } from './series-table.ts';
import { startAt } from './starts.ts';
import { encodePage, IDS_PER_PAGE, readPage } from './state-page.ts';
import type { StoredExemplar } from './annotations-db.ts';
import type { Tombstones } from './tombstones.ts';
import { decodeRecord, type RecordColumns } from './write-ahead.ts';

/** What to do with a row that cannot be read. `log`: the log that it is in, where that is not the head's database. */
export type DamagedRow = (
  row: Pick<QuarantineRow, 'kind' | 'rowId' | 'seriesId' | 'body'>,
  error: unknown,
  log?: LogDb,
) => void;

/**
 * Reads the series and where each of them ends. Leaves `nextId` greater than every id that a series
 * ever had, so that a new series never takes over another one's samples. Returns the pages of states that are damaged.
 */
export function loadHead(headDb: HeadDb, table: SeriesTable, onDamaged: DamagedRow): readonly number[] {
  const { head } = table;
  const damaged: [number, Uint8Array][] = [];
  table.nextId = Math.max(table.nextId, headDb.value('next_series_id'));
  for (const [id, labels] of headDb.series()) if (!loadSeries(table, id, labels)) damaged.push([id, labels]);
  const damagedPages: [number, Uint8Array, unknown][] = [];
  for (const [page, body] of headDb.states()) {
    try {
      readPage(body, head, (id) => refOfId(head, id));
    } catch (error) {
      damagedPages.push([page, body, error]);
    }
  }
  // Rows are moved once nothing is being read any more: SQLite allows no write beside an open cursor.
  for (const [id, body] of damaged) onDamaged({ kind: 'series', rowId: id, seriesId: id, body }, new Error(NO_LABELS));
  for (const [page, body, error] of damagedPages) onDamaged({ kind: 'state', rowId: page, seriesId: 0, body }, error);
  return damagedPages.map(([page]) => page);
}

/** Reads the series that are new in a log. */
export function loadLogSeries(log: LogDb, table: SeriesTable, onDamaged: DamagedRow): void {
  for (let rows = log.series(0, SERIES_AT_ONCE); rows.length > 0; rows = log.series(rows.at(-1)!.id, SERIES_AT_ONCE)) {
    for (const { id, labels } of rows) {
      if (refOfId(table.head, id) !== undefined) continue;
      const body = Buffer.from(labels);
      if (!loadSeries(table, id, body))
        onDamaged({ kind: 'series', rowId: id, seriesId: id, body }, new Error(NO_LABELS), log);
    }
  }
}

/** Finds the inputs among the series, all of which are known by now. */
export function findInputs({ head, index, inputs }: SeriesTable): void {
  for (const ref of index.match([ANY_INPUT])) inputs.add(head, index, ref);
}

const ANY_INPUT: Matcher = { name: INPUT_LABEL, op: '!=', value: '' };

/** Reads what is hidden of the series, all of which are known by now. */
export function loadTombstones(headDb: HeadDb, head: Head, tombstones: Tombstones): void {
  for (const tombstone of headDb.tombstones()) {
    const ref = refOfId(head, tombstone.seriesId);
    if (ref !== undefined) tombstones.add(ref, tombstone);
  }
}

/** Makes the states of some pages anew from the samples of their series, as far as these are in chunks. */
export function restorePages(
  pages: readonly number[],
  { head }: SeriesTable,
  headDb: HeadDb,
  read: (ref: number) => ChunkColumns,
): void {
  for (const page of pages) {
    const refs: number[] = [];
    for (let id = page * IDS_PER_PAGE; id < (page + 1) * IDS_PER_PAGE; id++) {
      const ref = refOfId(head, id);
      if (ref !== undefined && restoreEnd(head, ref, read(ref))) refs.push(ref);
    }
    headDb.write((writer) => writer.putState(page, encodePage(refs, head).slice()));
  }
}

/** False where there is no sample. */
function restoreEnd(head: Head, ref: number, { times, values, histograms }: ChunkColumns): boolean {
  const last = times.length - 1;
  if (last < 0) return false;
  head.firstTimes[ref] = times[0]!;
  head.lastTimes[ref] = times[last]!;
  if (times[last]! > head.latestMs) head.latestMs = times[last]!;
  let at = last;
  while (at >= 0 && !isHistogramAt(histograms, at) && isStaleAt(values, at)) at--;
  head.flags[ref]! |= (at < last ? ENDS_STALE : 0) | (at >= 0 && isHistogramAt(histograms, at) ? BASE_IS_HISTOGRAM : 0);
  if (at >= 0 && !isHistogramAt(histograms, at)) head.bases.set(values.subarray(at, at + 1), ref);
  return true;
}

const NO_LABELS = 'its label set is no JSON array of names and values';

/** False where the labels are not readable. */
function loadSeries(table: SeriesTable, id: number, labels: Uint8Array): boolean {
  table.nextId = Math.max(table.nextId, id + 1);
  const ref = table.index.insertStored(labels);
  if (ref === undefined) return false;
  startSeries(table.head, ref, id);
  return true;
}

/** An open says how far it is at least this often, in ms. */
const PROGRESS_MS = 250;

/** Series of a log that are read at once. */
const SERIES_AT_ONCE = 4_096;

/**
 * Reads the records of a log back into its memtable in the order they were written.
 * `skipBelowId`: what series with lower ids have there is in chunks already. `onProgress` is told of bytes.
 */
export function replayLog(
  log: LogDb,
  table: SeriesTable,
  memtable: Memtable,
  skipBelowId: number,
  onDamaged: DamagedRow,
  onProgress: (done: number) => void,
): void {
  const { head } = table;
  const planned = noRows();
  let done = 0;
  let saidAt = performance.now();
  for (const [id, bytes] of log.records()) {
    done += bytes;
    const body = log.record(id);
    let record: RecordColumns;
    try {
      record = decodeRecord(body);
    } catch (error) {
      onDamaged({ kind: 'record', rowId: id, seriesId: 0, body }, error, log);
      continue;
    }
    replayRecord(record, table, planned, skipBelowId);
    apply(head, planned, memtable, () => {});
    if (performance.now() - saidAt < PROGRESS_MS) continue;
    saidAt = performance.now();
    onProgress(done);
  }
}

function replayRecord(record: RecordColumns, table: SeriesTable, planned: Planned, skipBelowId: number): void {
  const { head } = table;
  const { times, seriesIds } = record;
  for (let row = 0; row < times.length; row++) {
    const id = seriesIds[row]!;
    if (id >= table.nextId) table.nextId = id + 1;
    if (id < skipBelowId) continue;
    const ref = refOfId(head, id);
    if (ref !== undefined) replayRow(head, planned, ref, record, row);
  }
}

function replayRow(head: Head, planned: Planned, ref: number, record: RecordColumns, row: number): void {
  const { times, values, starts, histograms } = record;
  const timeMs = times[row]!;
  const startMs = startAt(starts, row);
  if (timeMs < head.lastTimes[ref]!) {
    addLateRow(head, planned, ref, timeMs, startMs, values, row, histograms);
    return;
  }
  const at = addRow(head, planned, ref, timeMs, startMs);
  if (isHistogramAt(histograms, row)) setHistogramOf(head, planned, at, histograms, row);
  else if (isStaleAt(values, row)) setStale(head, planned, at, values, row);
  else setFloat(head, planned, at, values, row);
}

/**
 * The exemplars of the series that there are, hidden ones left out, in the order in which they came: those of `log` or, where
 * that is undefined, of the head. `generationOf` tells from a row's id under which generation it was stored.
 */
export function loadExemplars(
  rows: readonly [number, StoredExemplar][],
  generationOf: (id: number) => number,
  head: Head,
  tombstones: Tombstones,
  onDamaged: DamagedRow,
  log?: LogDb,
): ExemplarRow[] {
  const exemplars: ExemplarRow[] = [];
  for (const [id, { seriesId, timeMs, value, labels: json }] of rows.slice(-LIMITS.exemplars)) {
    const ref = refOfId(head, seriesId);
    const labels = parseLabels(json);
    if (labels === undefined) {
      onDamaged({ kind: 'exemplar', rowId: id, seriesId, body: Buffer.from(json) }, new Error(NO_LABELS), log);
    } else if (ref !== undefined && !tombstones.hides(ref, timeMs, generationOf(id))) {
      exemplars.push({ ref, timeMs, value, labels });
    }
  }
  return exemplars;
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
