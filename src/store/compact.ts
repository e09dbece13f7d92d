import { decodeChunk, encodeChunk, chunkRows } from './codec/chunk.ts';
import { chunksOf, SAMPLES_PER_CHUNK } from './flush.ts';
import { keyBefore, seriesIdOf, type PartitionDb, type PartitionWriter, type StoredChunk } from './partition-db.ts';
import { mergeRuns, type RunColumns } from './run.ts';

/** What the rewriting of some chunks comes to. */
export interface Rewritten {
  chunks: number;
  samplesErased: number;
}

export interface CompactDeps {
  /** What of a run is to stay. */
  visible(seriesId: number, run: RunColumns): readonly RunColumns[];
  /** Whether there is such a series; chunks of others are removed. */
  isThere(seriesId: number): boolean;
  /** Told of a chunk that cannot be read; it is removed. */
  onDamaged(seriesId: number, chunk: StoredChunk, error: unknown): void;
  /** Chunks of later generations are left alone. */
  readonly generation: number;
}

/** Chunks that a step looks at. */
const CHUNKS_PER_STEP = 256;

/**
 * Merges the chunks of some series of a day, those behind `afterKey`, so that none is small beside its neighbour and none
 * overlaps it. Returns the key to go on from, or undefined when the day is done.
 */
export function mergeStep(db: PartitionDb, afterKey: number, deps: CompactDeps, total: Rewritten): number | undefined {
  let chunks = db.chunksAfter(afterKey, CHUNKS_PER_STEP);
  if (chunks.length === 0) return undefined;
  let next: number | undefined;
  if (chunks.length === CHUNKS_PER_STEP) {
    // The last series may have more chunks than were looked at: it is for the next step, or alone for this one.
    const lastId = seriesIdOf(chunks.at(-1)!.key);
    const firstId = seriesIdOf(chunks[0]!.key);
    if (firstId === lastId) {
      chunks = db.chunks(lastId, -Infinity, Infinity);
      next = keyBefore(lastId + 1);
    } else {
      chunks = chunks.filter(({ key }) => seriesIdOf(key) !== lastId);
      next = keyBefore(lastId);
    }
  }
  rewrite(db, chunks, deps, total);
  return next;
}

/** Rewrites the chunks of one series, so that what is hidden is in none of them. */
export function rewriteSeries(db: PartitionDb, seriesId: number, deps: CompactDeps, total: Rewritten): void {
  rewrite(db, db.chunks(seriesId, -Infinity, Infinity), deps, total);
}

function rewrite(db: PartitionDb, chunks: readonly StoredChunk[], deps: CompactDeps, total: Rewritten): void {
  const changes: ((writer: PartitionWriter) => void)[] = [];
  for (const ofSeries of groupsOf(chunks, (a, b) => seriesIdOf(a.key) === seriesIdOf(b.key))) {
    rewriteOne(seriesIdOf(ofSeries[0]!.key), ofSeries, deps, changes, total);
  }
  if (changes.length === 0) return;
  db.write((writer) => {
    for (const change of changes) change(writer);
  });
}

interface DecodedChunk {
  readonly stored: StoredChunk;
  readonly rows: number;
  readonly run: RunColumns;
}

function rewriteOne(
  seriesId: number,
  chunks: readonly StoredChunk[],
  deps: CompactDeps,
  changes: ((writer: PartitionWriter) => void)[],
  total: Rewritten,
): void {
  const settled = chunks.filter(({ generation }) => generation <= deps.generation);
  if (!deps.isThere(seriesId)) {
    for (const { key, body } of settled) {
      const rows = rowsOf(body);
      total.samplesErased += rows;
      changes.push((writer) => writer.remove(key, rows));
    }
    return;
  }
  const decoded: DecodedChunk[] = [];
  for (const stored of settled) {
    try {
      const run = { generation: stored.generation, ...decodeChunk(stored.body) };
      decoded.push({ stored, rows: run.times.length, run });
    } catch (error) {
      deps.onDamaged(seriesId, stored, error);
      changes.push((writer) => writer.remove(stored.key, rowsOf(stored.body)));
    }
  }
  decoded.sort((a, b) => a.run.times[0]! - b.run.times[0]!);
  for (const cluster of clustersOf(decoded)) {
    const visible = cluster.flatMap(({ run }) => deps.visible(seriesId, run));
    const before = cluster.reduce((rows, one) => rows + one.rows, 0);
    const left = visible.reduce((rows, run) => rows + run.times.length, 0);
    if (cluster.length === 1 && left === before) continue;
    total.chunks += cluster.length;
    total.samplesErased += before - left;
    for (const { stored, rows } of cluster) changes.push((writer) => writer.remove(stored.key, rows));
    if (left === 0) continue;
    const generation = cluster.reduce((highest, { run }) => Math.max(highest, run.generation), 0);
    for (const part of chunksOf(mergeRuns(visible))) {
      const startMs = part.times[0]!;
      const endMs = part.times.at(-1)!;
      const rows = part.times.length;
      const body = encodeChunk(part).slice();
      changes.push((writer) => writer.add(seriesId, startMs, endMs, generation, rows, body));
    }
  }
}

/** Chunks in order of time, in groups that are to become one: those that overlap, and neighbours until they are long enough. */
function* clustersOf(chunks: readonly DecodedChunk[]): Iterable<readonly DecodedChunk[]> {
  let cluster: DecodedChunk[] = [];
  let rows = 0;
  let endMs = Number.NEGATIVE_INFINITY;
  for (const chunk of chunks) {
    const overlaps = chunk.run.times[0]! <= endMs;
    if (cluster.length > 0 && !overlaps && rows + chunk.rows > SAMPLES_PER_CHUNK) {
      yield cluster;
      cluster = [];
      rows = 0;
    }
    cluster.push(chunk);
    rows += chunk.rows;
    endMs = Math.max(endMs, chunk.stored.endMs);
  }
  if (cluster.length > 0) yield cluster;
}

function* groupsOf<T>(items: readonly T[], belong: (a: T, b: T) => boolean): Iterable<readonly T[]> {
  let start = 0;
  for (let i = 1; i <= items.length; i++) {
    if (i < items.length && belong(items[i - 1]!, items[i]!)) continue;
    if (i > start) yield items.slice(start, i);
    start = i;
  }
}

/** The samples of a chunk; none where it is too damaged to say. */
export function rowsOf(body: Uint8Array): number {
  try {
    return chunkRows(body);
  } catch {
    return 0;
  }
}
