import { openDatabase } from '../base/sqlite.ts';
import { ANNOTATION_SCHEMA, annotationTables, type AnnotationTables } from './annotations-db.ts';

/** A store as it was in version 2: one file, with uncompressed chunks. */
export interface Version2Db {
  /** `[id, labels as JSON]` in order of id. */
  series(): readonly [number, string][];
  /** Bodies of a series' chunks in order of time, the tail last. */
  chunks(seriesId: number): readonly Uint8Array[];
  /** Bodies of the write-ahead records, the oldest first. */
  records(): Iterable<Uint8Array>;
  readonly annotations: Pick<AnnotationTables, 'exemplars' | 'deliveries' | 'metadata'>;
  close(): void;
}

/** What version 1 lacked. The tables that it had are never made here. */
const MIGRATIONS = ['', ANNOTATION_SCHEMA];

const LARGEST_COUNT = 10_000_000;

/** Throws `bad_config`, and changes nothing, for a file that is no such store, or one in use. */
export function openVersion2Db(path: string): Version2Db {
  const db = openDatabase(path, { durability: 'process', kind: 'CmSt', migrations: MIGRATIONS, exclusive: true });
  const chunks = db
    .prepare<[number, number], Uint8Array>(
      `SELECT body FROM (
        SELECT start_ms, body FROM chunk WHERE series_id = ? UNION ALL SELECT start_ms, body FROM tail WHERE series_id = ?
      ) ORDER BY start_ms`,
    )
    .pluck();
  const annotations = annotationTables(db);
  return {
    series: () => db.prepare<[], [number, string]>('SELECT id, labels FROM series ORDER BY id').raw().all(),
    chunks: (id) => chunks.all(id, id),
    records: () => db.prepare<[], Uint8Array>('SELECT body FROM record ORDER BY id').pluck().iterate(),
    annotations: {
      exemplars: () => annotations.exemplars(LARGEST_COUNT),
      deliveries: () => annotations.deliveries(LARGEST_COUNT),
      metadata: annotations.metadata,
    },
    close: () => void db.close(),
  };
}
