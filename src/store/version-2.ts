import { messageOf } from '../base/errors.ts';
import { SET, seriesHandle, type Batch, type Exemplar, type SeriesHandle } from '../model/batch.ts';
import { concatHistograms } from '../model/histogram.ts';
import type { Labels } from '../model/labels.ts';
import type { ChunkColumns } from './codec/chunk.ts';
import { readFrame, type Framed } from './framed.ts';
import { columnsOf, readSection } from './histogram-section.ts';
import { memtable, putRow, runOf, takeLast, type Memtable } from './memtable.ts';
import { mergeRuns, sliceRun, type RunColumns } from './run.ts';
import { readStarts, spreadStarts, START_FLAGS, startAt } from './starts.ts';
import { openVersion2Db, type Version2Db } from './version-2-db.ts';
import { decodeRecord } from './write-ahead.ts';

/** A store of version 2, or 1, as batches to append to a new one. */
export interface Version2 {
  /** Everything that can be read, series after series, each from its oldest sample on. */
  batches(): Iterable<Batch>;
  /** The deliveries that are known. */
  deliveries(): readonly string[];
  close(): void;
}

/** Rows of a batch: some megabytes of record. */
const ROWS_PER_BATCH = 50_000;

/** `onDamaged` is told of what cannot be read. Throws `bad_config` for a file that is no such store. */
export function openVersion2(path: string, onDamaged: (message: string) => void): Version2 {
  const db = openVersion2Db(path);
  return {
    *batches() {
      const series = db.series();
      const recent = replay(db, onDamaged);
      const exemplars = new Map<number, Exemplar[]>();
      for (const [, { seriesId, timeMs, value, labels }] of db.annotations.exemplars(0)) {
        const exemplar = { series: 0, timeMs, value, labels: JSON.parse(labels) as Labels };
        const own = exemplars.get(seriesId);
        if (own === undefined) exemplars.set(seriesId, [exemplar]);
        else own.push(exemplar);
      }
      let gathered: Gathered[] = [];
      let rows = 0;
      for (const [id, labels] of series) {
        const columns = columnsOfSeries(db, id, recent, onDamaged);
        if (columns === undefined) continue;
        const handle = seriesHandle(JSON.parse(labels) as Labels);
        for (const part of partsOf(columns))
          gathered.push({ handle, columns: part, exemplars: exemplars.get(id) ?? [] });
        rows += columns.times.length;
        if (rows < ROWS_PER_BATCH) continue;
        for (const one of inBatches(gathered)) yield one;
        gathered = [];
        rows = 0;
      }
      for (const one of inBatches(gathered)) yield one;
      yield { ...batchOf([]), metadata: db.annotations.metadata() };
    },
    deliveries: () => db.annotations.deliveries(0).map(([, digest]) => digest),
    close: () => db.close(),
  };
}

interface Gathered {
  readonly handle: SeriesHandle;
  readonly columns: ChunkColumns;
  readonly exemplars: readonly Exemplar[];
}

/** The records' samples by the ids of their series; one at the time of the last takes its place. */
function replay(db: Version2Db, onDamaged: (message: string) => void): Memtable {
  const table = memtable(1, 0);
  const lastTimes = new Map<number, number>();
  for (const body of db.records()) {
    try {
      const { seriesIds, times, values, starts, histograms } = decodeRecord(body);
      for (let row = 0; row < times.length; row++) {
        const id = seriesIds[row]!;
        const timeMs = times[row]!;
        const lastMs = lastTimes.get(id) ?? Number.NEGATIVE_INFINITY;
        if (timeMs < lastMs) continue;
        if (timeMs === lastMs) takeLast(table, id, timeMs);
        putRow(table, id, timeMs, values, row, startAt(starts, row), histograms);
        lastTimes.set(id, timeMs);
      }
    } catch (error) {
      onDamaged(`a write-ahead record is left out: ${messageOf(error)}`);
    }
  }
  return table;
}

function columnsOfSeries(
  db: Version2Db,
  id: number,
  recent: Memtable,
  onDamaged: (message: string) => void,
): ChunkColumns | undefined {
  const runs: RunColumns[] = [];
  for (const body of db.chunks(id)) {
    try {
      runs.push({ generation: 0, ...decodeVersion2Chunk(body) });
    } catch (error) {
      onDamaged(`a chunk of series ${id} is left out: ${messageOf(error)}`);
    }
  }
  const last = runOf(recent, id);
  if (last !== undefined) runs.push(last);
  const present = runs.filter(({ times }) => times.length > 0);
  return present.length === 0 ? undefined : mergeRuns(present);
}

const HISTOGRAMS = 4;
const CHUNK: Framed = { name: 'chunk', headerBytes: 24, flags: START_FLAGS | HISTOGRAMS };

/**
 * A chunk of version 2: the header with the base of additions, times, values, starts, histograms. The base may be a histogram in
 * the row behind the last, which the last sample makes up for.
 */
function decodeVersion2Chunk(bytes: Uint8Array): ChunkColumns {
  return readFrame(CHUNK, bytes, (sections) => {
    const { rows } = sections;
    const times = sections.f64(rows).slice();
    const values = sections.f64(rows).slice();
    const starts = readStarts(sections);
    const section = (sections.flags & HISTOGRAMS) === 0 ? undefined : readSection(sections, rows + 1);
    const histograms = section === undefined ? undefined : columnsOf(section, rows);
    return { times, values, starts: typeof starts === 'number' ? starts : starts.slice(), histograms };
  });
}

function* partsOf(columns: ChunkColumns): Iterable<ChunkColumns> {
  const { times } = columns;
  for (let from = 0; from < times.length; from += ROWS_PER_BATCH) {
    const to = Math.min(from + ROWS_PER_BATCH, times.length);
    if (from === 0 && to === times.length) yield columns;
    else yield sliceRun(columns, from, to);
  }
}

function* inBatches(gathered: readonly Gathered[]): Iterable<Batch> {
  let batch: Gathered[] = [];
  let rows = 0;
  for (const one of gathered) {
    if (rows > 0 && rows + one.columns.times.length > ROWS_PER_BATCH) {
      yield batchOf(batch);
      batch = [];
      rows = 0;
    }
    batch.push(one);
    rows += one.columns.times.length;
  }
  if (rows > 0) yield batchOf(batch);
}

function batchOf(gathered: readonly Gathered[]): Batch {
  const rows = gathered.reduce((sum, { columns }) => sum + columns.times.length, 0);
  const seriesOf = new Uint32Array(rows);
  const times = new Float64Array(rows);
  const values = new Float64Array(rows);
  const startTimes = new Float64Array(rows);
  let at = 0;
  for (const [i, { columns }] of gathered.entries()) {
    const end = at + columns.times.length;
    seriesOf.fill(i, at, end);
    times.set(columns.times, at);
    values.set(columns.values, at);
    spreadStarts(columns.starts, startTimes.subarray(at, end));
    at = end;
  }
  return {
    series: gathered.map(({ handle }) => handle),
    seriesOf,
    times,
    values,
    modes: new Uint8Array(rows).fill(SET),
    histograms: concatHistograms(
      gathered.map(({ columns }) => ({ rows: columns.times.length, histograms: columns.histograms })),
    ),
    startTimes,
    continues: undefined,
    exemplars: gathered.flatMap(({ exemplars }, series) => exemplars.map((one) => ({ ...one, series }))),
    metadata: [],
    delivery: undefined,
  };
}
