import { ComityError } from '../base/errors.ts';
import { hull } from '../coverage/late-intervals.ts';
import {
  CONTINUES,
  seriesHandle,
  type Appended,
  type Batch,
  type Exemplar,
  type LateInterval,
  type Rejection,
  type RejectReason,
  type SeriesHandle,
} from '../model/batch.ts';
import type { HistogramColumns } from '../model/histogram.ts';
import { neededLabels, type Router } from './router.ts';

/** What one shard gets of a batch. */
export interface BatchPart {
  readonly shard: number;
  readonly batch: Batch;
  /** The row of the whole batch that each row was; undefined where they are the same. */
  readonly rows: Uint32Array | undefined;
}

/** The shard that keeps what is known of metric families. */
const METADATA_SHARD = 0;

/**
 * The parts of a batch by the shards of its series, in their order, none of them empty. A data point of several rows stays
 * whole: where its series belong to different shards, which no receiver makes, it goes to that of its first row. A batch
 * all of whose series belong to one shard is that part itself and not copied. Throws `bad_data` for a row of a series that
 * the batch does not have, and as `Router.shardOf`.
 */
export function splitBatch(batch: Batch, router: Router): readonly BatchPart[] {
  const { count } = router;
  const { series, seriesOf, continues, exemplars, metadata } = batch;
  const home = new Uint16Array(series.length);
  let mixed = false;
  for (let i = 0; i < home.length; i++) {
    home[i] = router.shardOf(series[i]!);
    mixed ||= home[i] !== home[0];
  }
  const first = home[0] ?? METADATA_SHARD;
  if (!mixed && (metadata.length === 0 || first === METADATA_SHARD)) return [{ shard: first, batch, rows: undefined }];

  const rows = batch.times.length;
  const shardOfRow = new Uint16Array(rows);
  const rowsOf = new Uint32Array(count);
  let shard = 0;
  for (let row = 0; row < rows; row++) {
    if (continues === undefined || row === 0 || continues[row] !== CONTINUES) shard = homeOf(home, seriesOf[row]!);
    shardOfRow[row] = shard;
    rowsOf[shard]!++;
  }
  const wanted = new Set(exemplars.map(({ series: index }) => homeOf(home, index)));
  if (metadata.length > 0) wanted.add(METADATA_SHARD);
  for (let one = 0; one < count; one++) if (rowsOf[one]! > 0) wanted.add(one);
  return [...wanted]
    .sort((a, b) => a - b)
    .map((one) => partOf(batch, one, rowsTo(one, shardOfRow, rowsOf[one]!), home));
}

function homeOf(home: Uint16Array, index: number): number {
  const shard = home[index];
  if (shard === undefined) throw new ComityError('bad_data', `a batch names series ${index}, of ${home.length}`);
  return shard;
}

function rowsTo(shard: number, shardOfRow: Uint16Array, size: number): Uint32Array {
  const rows = new Uint32Array(size);
  let used = 0;
  for (let row = 0; used < size; row++) if (shardOfRow[row] === shard) rows[used++] = row;
  return rows;
}

function partOf(batch: Batch, shard: number, rows: Uint32Array, home: Uint16Array): BatchPart {
  const { series, seriesOf, times, values, modes, startTimes, continues } = batch;
  const own: SeriesHandle[] = [];
  const placeOf = new Int32Array(series.length).fill(-1);
  const place = (index: number): number => {
    const known = placeOf[index]!;
    if (known >= 0) return known;
    const handle = homeOf(home, index) === shard ? series[index]! : strangerOf(series[index]!);
    return (placeOf[index] = own.push(handle) - 1);
  };

  const size = rows.length;
  const seriesColumn = new Uint32Array(size);
  const timeColumn = new Float64Array(size);
  const valueColumn = new Float64Array(size);
  const modeColumn = new Uint8Array(size);
  const startColumn = startTimes === undefined ? undefined : new Float64Array(size);
  const continuesColumn = continues === undefined ? undefined : new Uint8Array(size);
  // Copied as words: a staleness marker must keep its bits.
  const bits = new BigInt64Array(values.buffer, values.byteOffset, values.length);
  const bitColumn = new BigInt64Array(valueColumn.buffer);
  for (let i = 0; i < size; i++) {
    const row = rows[i]!;
    seriesColumn[i] = place(seriesOf[row]!);
    timeColumn[i] = times[row]!;
    bitColumn[i] = bits[row]!;
    modeColumn[i] = modes[row]!;
    if (startColumn !== undefined) startColumn[i] = startTimes![row]!;
    if (continuesColumn !== undefined) continuesColumn[i] = continues![row]!;
  }
  const exemplars: Exemplar[] = [];
  for (const exemplar of batch.exemplars) {
    if (home[exemplar.series] === shard) exemplars.push({ ...exemplar, series: place(exemplar.series) });
  }
  const part: Batch = {
    series: own,
    seriesOf: seriesColumn,
    times: timeColumn,
    values: valueColumn,
    modes: modeColumn,
    histograms: batch.histograms && histogramRows(batch.histograms, rows),
    startTimes: startColumn,
    continues: continuesColumn,
    exemplars,
    metadata: shard === METADATA_SHARD ? batch.metadata : [],
    delivery: batch.delivery,
  };
  return { shard, batch: part, rows };
}

/** A series that goes to a shard which is not its own, where its reference would be another's. */
function strangerOf(handle: SeriesHandle): SeriesHandle {
  return seriesHandle(neededLabels(handle));
}

/** Some rows of columns, in columns that share the cells. */
function histogramRows(columns: HistogramColumns, rows: Uint32Array): HistogramColumns {
  const layoutOf = new Int32Array(rows.length);
  const hints = new Uint8Array(rows.length);
  const starts = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    layoutOf[i] = columns.layoutOf[row]!;
    hints[i] = columns.hints[row]!;
    starts[i] = columns.starts[row]!;
  }
  return { layouts: columns.layouts, layoutOf, hints, starts, cells: columns.cells };
}

/** What became of a batch, from what became of its parts. */
export function mergeAppended(parts: readonly BatchPart[], outcomes: readonly Appended[]): Appended {
  if (parts.length === 1 && parts[0]!.rows === undefined) return outcomes[0]!;
  let stored = 0;
  let repeated = 0;
  let histograms = 0;
  let exemplars = 0;
  const rejected = new Map<RejectReason, Rejection>();
  let late: LateInterval | undefined;
  for (const [i, outcome] of outcomes.entries()) {
    stored += outcome.stored;
    repeated += outcome.repeated;
    histograms += outcome.histograms;
    exemplars += outcome.exemplars;
    late = hull(late, outcome.late);
    for (const [reason, rejection] of outcome.rejected) {
      const before = rejected.get(reason);
      const firstRow = parts[i]!.rows?.[rejection.firstRow] ?? rejection.firstRow;
      rejected.set(reason, {
        count: rejection.count + (before?.count ?? 0),
        firstRow: Math.min(firstRow, before?.firstRow ?? Infinity),
      });
    }
  }
  // In the order in which one store would have met them.
  const inOrder = [...rejected].sort(([, a], [, b]) => a.firstRow - b.firstRow);
  return { stored, repeated, rejected: new Map(inOrder), histograms, exemplars, late };
}
