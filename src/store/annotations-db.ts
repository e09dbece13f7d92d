import type { SqliteDatabase } from '../base/sqlite.ts';
import type { Metadata, MetricType } from '../model/batch.ts';

/** An exemplar as it is stored. */
export interface StoredExemplar {
  readonly seriesId: number;
  readonly timeMs: number;
  readonly value: number;
  /** The label set as JSON. */
  readonly labels: string;
}

/** What is stored beside samples. */
export interface Annotations {
  readonly exemplars: readonly StoredExemplar[];
  readonly metadata: Iterable<Metadata>;
  readonly deliveries: Iterable<string>;
}

export interface NumberedAnnotations {
  readonly exemplars: readonly [number, StoredExemplar][];
  readonly metadata: Iterable<Metadata>;
  readonly deliveries: readonly [number, string][];
}

/** The tables of exemplars, metadata and deliveries. The caller opens the transactions. */
export interface AnnotationTables {
  insert(annotations: Annotations): void;
  /** Takes rows over from other tables, under ids that are theirs alone: doing so twice changes nothing. */
  takeOver(rows: NumberedAnnotations): void;
  /** Removes all but the latest exemplars and deliveries. */
  prune(exemplars: number, deliveries: number): void;
  /** The latest `[id, exemplar]`, the oldest first. */
  exemplars(count: number): readonly [number, StoredExemplar][];
  /** The latest `[id, digest]`, the oldest first. */
  deliveries(count: number): readonly [number, string][];
  metadata(): readonly Metadata[];
}

export const ANNOTATION_SCHEMA = `
  CREATE TABLE exemplar (
    id INTEGER PRIMARY KEY, series_id INTEGER NOT NULL, time_ms REAL NOT NULL, value REAL, labels TEXT NOT NULL
  ) STRICT;
  CREATE TABLE metadata (metric TEXT PRIMARY KEY, type TEXT NOT NULL, help TEXT NOT NULL, unit TEXT NOT NULL)
    STRICT, WITHOUT ROWID;
  CREATE TABLE delivery (id INTEGER PRIMARY KEY, digest TEXT NOT NULL) STRICT;
`;

export function annotationTables(db: SqliteDatabase): AnnotationTables {
  const insertExemplar = db.prepare('INSERT INTO exemplar (series_id, time_ms, value, labels) VALUES (?, ?, ?, ?)');
  const insertDelivery = db.prepare('INSERT INTO delivery (digest) VALUES (?)');
  const upsertMetadata = db.prepare('INSERT OR REPLACE INTO metadata (metric, type, help, unit) VALUES (?, ?, ?, ?)');
  const takeExemplar = db.prepare(
    'INSERT OR IGNORE INTO exemplar (id, series_id, time_ms, value, labels) VALUES (?, ?, ?, ?, ?)',
  );
  const takeDelivery = db.prepare('INSERT OR IGNORE INTO delivery (id, digest) VALUES (?, ?)');
  const [pruneExemplars, pruneDeliveries] = ['exemplar', 'delivery'].map((table) =>
    db.prepare(`DELETE FROM ${table} WHERE id <= (SELECT id FROM ${table} ORDER BY id DESC LIMIT 1 OFFSET ?)`),
  );

  return {
    insert({ exemplars, metadata, deliveries }) {
      // SQLite keeps NaN as NULL.
      for (const one of exemplars) insertExemplar.run(one.seriesId, one.timeMs, one.value, one.labels);
      for (const { metric, type, help, unit } of metadata) upsertMetadata.run(metric, type, help, unit);
      for (const digest of deliveries) insertDelivery.run(digest);
    },
    takeOver({ exemplars, metadata, deliveries }) {
      for (const [id, one] of exemplars) takeExemplar.run(id, one.seriesId, one.timeMs, one.value, one.labels);
      for (const { metric, type, help, unit } of metadata) upsertMetadata.run(metric, type, help, unit);
      for (const [id, digest] of deliveries) takeDelivery.run(id, digest);
    },
    prune(exemplars, deliveries) {
      pruneExemplars!.run(exemplars);
      pruneDeliveries!.run(deliveries);
    },
    exemplars(count) {
      return db
        .prepare<[number], [number, number, number, number | null, string]>(
          'SELECT id, series_id, time_ms, value, labels FROM exemplar ORDER BY id DESC LIMIT ?',
        )
        .raw()
        .all(count)
        .reverse()
        .map(([id, seriesId, timeMs, value, labels]) => [id, { seriesId, timeMs, value: value ?? Number.NaN, labels }]);
    },
    deliveries: (count) =>
      db
        .prepare<[number], [number, string]>('SELECT id, digest FROM delivery ORDER BY id DESC LIMIT ?')
        .raw()
        .all(count)
        .reverse(),
    metadata: () =>
      db
        .prepare<[], [string, string, string, string]>('SELECT metric, type, help, unit FROM metadata')
        .raw()
        .all()
        .map(([metric, type, help, unit]) => ({ metric, type: metricType(type), help, unit })),
  };
}

const METRIC_TYPES: Readonly<Record<MetricType, true>> = {
  counter: true,
  gauge: true,
  histogram: true,
  gaugehistogram: true,
  summary: true,
  info: true,
  stateset: true,
  unknown: true,
};

function metricType(type: string): MetricType {
  return Object.hasOwn(METRIC_TYPES, type) ? (type as MetricType) : 'unknown';
}
