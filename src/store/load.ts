import type { Labels } from '../model/labels.ts';
import type { ChunkReader } from './chunk-reader.ts';
import { addChunk, headSeries, TAIL_CHUNK, type HeadSeries } from './head.ts';
import type { SeriesIndex } from './series-index.ts';
import type { RowKind, StoreDb } from './store-db.ts';
import { decodeRecord, type RecordColumns } from './write-ahead.ts';

/** Called with a row that cannot be read and is left out. */
export type DamagedRow = (kind: RowKind, id: number, seriesId: number, error: unknown) => void;

/** What was read at an open. */
export interface Loaded {
  /** In the order of the index's references. */
  readonly head: HeadSeries[];
  readonly byId: ReadonlyMap<number, HeadSeries>;
  /** Greater than every series id that any row names, so that a new series never takes over a damaged one's samples. */
  readonly nextId: number;
}

/** Reads the series and where their chunks lie, without the chunks' bodies. */
export function loadSeries(db: StoreDb, index: SeriesIndex, onDamaged: DamagedRow): Loaded {
  const head: HeadSeries[] = [];
  const byId = new Map<number, HeadSeries>();
  const damaged: number[] = [];
  let lastId = 0;
  for (const [id, json] of db.series()) {
    lastId = Math.max(lastId, id);
    const labels = parseLabels(json);
    if (labels === undefined) {
      damaged.push(id);
      continue;
    }
    const series = headSeries(id);
    index.insert(labels);
    head.push(series);
    byId.set(id, series);
  }
  for (const [chunkId, seriesId, startMs, endMs] of db.chunks()) {
    lastId = Math.max(lastId, seriesId);
    const series = byId.get(seriesId);
    if (series !== undefined) addChunk(series, chunkId, startMs, endMs);
  }
  for (const [seriesId, startMs, endMs] of db.tails()) {
    lastId = Math.max(lastId, seriesId);
    const series = byId.get(seriesId);
    if (series !== undefined) addChunk(series, TAIL_CHUNK, startMs, endMs);
  }
  // The rows are moved once nothing is being read any more: SQLite allows no write beside an open cursor.
  for (const id of damaged)
    onDamaged('series', id, id, new Error('its label set is no JSON array of names and values'));
  return { head, byId, nextId: lastId + 1 };
}

/**
 * Reads the write-ahead records in the order they were written and hands each sample to `put`, its series' tail loaded.
 * Returns the first series id that no record names, and the records' bytes.
 */
export function replayRecords(
  db: StoreDb,
  loaded: Loaded,
  reader: ChunkReader,
  put: (series: HeadSeries, record: RecordColumns, row: number) => void,
  onDamaged: DamagedRow,
): { nextId: number; recordSizes: readonly number[] } {
  let nextId = loaded.nextId;
  const recordSizes: number[] = [];
  for (const id of db.recordIds()) {
    const body = db.record(id);
    let record: RecordColumns;
    try {
      record = decodeRecord(body);
    } catch (error) {
      onDamaged('record', id, 0, error);
      continue;
    }
    recordSizes.push(body.length);
    for (let row = 0; row < record.times.length; row++) {
      const seriesId = record.seriesIds[row]!;
      nextId = Math.max(nextId, seriesId + 1);
      const series = loaded.byId.get(seriesId);
      if (series === undefined) continue;
      reader.loadTail(series);
      put(series, record, row);
    }
  }
  return { nextId, recordSizes };
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
