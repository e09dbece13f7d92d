import { ComityError } from '../base/errors.ts';
import { openDatabase, type Durability, type SqliteDatabase } from '../base/sqlite.ts';
import type { TimeRange } from '../plan/read-range.ts';
import type { AgentLifeDb, LifeRecord } from './agent-gaps.ts';
import type { Gap } from './presence.ts';
import { settlementIn, SETTLEMENT_SCHEMA, type SettlementDb } from './settlement-db.ts';
import type { StreamKey, StreamRecord } from './streams.ts';

/** What an agent knows of its streams, of itself and of what is settled, kept across restarts. */
export interface CoverageDb {
  readonly streams: StreamsDb;
  readonly life: AgentLifeDb;
  readonly settlement: SettlementDb;
  close(): void;
}

/** Streams kept across restarts, so that an agent that was down knows what it missed. */
export interface StreamsDb {
  load(): StreamRecord[];
  /** Writes the changed streams and removes the forgotten ones; when it throws, nothing was written. */
  save(changed: Iterable<StreamRecord>, forgotten: Iterable<StreamKey>): void;
}

const SCHEMA = `
  CREATE TABLE stream (
    signal TEXT NOT NULL,
    job TEXT NOT NULL,
    instance TEXT NOT NULL,
    last_seen_ms REAL NOT NULL,
    interval_ms REAL NOT NULL,
    PRIMARY KEY (signal, job, instance)
  ) WITHOUT ROWID;
`;

const LAST_SAMPLES = 'ALTER TABLE stream ADD COLUMN last_sample_ms REAL NOT NULL DEFAULT 0;';

/**
 * When a stream of an older agent began is not known: it counts from what it delivered last. Gaps are a list of numbers in
 * JSON, three for each: from, to, and until when samples were missing.
 */
const PRESENCE = `
  ALTER TABLE stream ADD COLUMN first_sample_ms REAL NOT NULL DEFAULT 0;
  ALTER TABLE stream ADD COLUMN known_ms REAL NOT NULL DEFAULT 0;
  ALTER TABLE stream ADD COLUMN down_ms REAL NOT NULL DEFAULT 0;
  ALTER TABLE stream ADD COLUMN ended_ms REAL NOT NULL DEFAULT 0;
  ALTER TABLE stream ADD COLUMN gaps TEXT NOT NULL DEFAULT '[]';
  UPDATE stream SET last_sample_ms = last_seen_ms - 120000 WHERE last_sample_ms = 0;
  UPDATE stream SET first_sample_ms = last_sample_ms, known_ms = last_seen_ms;
  CREATE TABLE agent_gap (
    from_ms REAL PRIMARY KEY,
    to_ms REAL NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE agent_life (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    alive_ms REAL NOT NULL,
    closed INTEGER NOT NULL
  );
`;

/** Opens or creates the database. Throws `bad_config` as `openDatabase`. */
export function openCoverageDb(path: string, durability: Durability): CoverageDb {
  const migrations = [SCHEMA, LAST_SAMPLES + SETTLEMENT_SCHEMA, PRESENCE];
  const db = openDatabase(path, { durability, kind: 'CMTS', migrations });
  return {
    streams: streamsIn(db),
    life: lifeIn(db),
    settlement: settlementIn(db),
    close: () => db.close(),
  };
}

type StreamRow = Omit<StreamRecord, 'gaps'> & { readonly gaps: string };

function streamsIn(db: SqliteDatabase): StreamsDb {
  const select = db.prepare(`
    SELECT signal, job, instance, first_sample_ms AS firstMs, last_sample_ms AS lastMs, last_seen_ms AS seenMs,
      known_ms AS knownMs, down_ms AS downMs, ended_ms AS endedMs, interval_ms AS intervalMs, gaps
    FROM stream
  `);
  const replace = db.prepare(`
    INSERT OR REPLACE INTO stream (signal, job, instance, first_sample_ms, last_sample_ms, last_seen_ms, known_ms,
      down_ms, ended_ms, interval_ms, gaps)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  `);
  const remove = db.prepare('DELETE FROM stream WHERE signal = ? AND job = ? AND instance = ?');
  return {
    load: () => (select.all() as StreamRow[]).map(({ gaps, ...rest }) => ({ ...rest, gaps: gapsFrom(gaps) })),
    save: db.transaction((changed: Iterable<StreamRecord>, forgotten: Iterable<StreamKey>) => {
      for (const { signal, job, instance } of forgotten) remove.run(signal, job, instance);
      for (const one of changed) {
        const { signal, job, instance, firstMs, lastMs, seenMs, knownMs, downMs, endedMs, intervalMs } = one;
        const times = [firstMs, lastMs, seenMs, knownMs, downMs, endedMs, intervalMs];
        replace.run(signal, job, instance, ...times, gapsText(one.gaps));
      }
    }),
  };
}

function gapsText(gaps: readonly Gap[]): string {
  return gaps.length === 0 ? '[]' : JSON.stringify(gaps.flatMap((gap) => [gap.fromMs, gap.toMs, gap.missingToMs]));
}

function gapsFrom(text: string): Gap[] {
  if (text === '[]') return [];
  const numbers = JSON.parse(text) as unknown;
  if (!Array.isArray(numbers) || numbers.length % 3 !== 0 || !numbers.every(Number.isFinite)) {
    throw new ComityError('bad_config', `the coverage database is damaged: gaps of a stream are ${text.slice(0, 100)}`);
  }
  const gaps: Gap[] = [];
  for (let at = 0; at < numbers.length; at += 3) {
    const [fromMs, toMs, missingToMs] = numbers.slice(at, at + 3) as [number, number, number];
    gaps.push({ fromMs, toMs, missingToMs });
  }
  return gaps;
}

function lifeIn(db: SqliteDatabase): AgentLifeDb {
  const selectLife = db.prepare('SELECT alive_ms AS aliveMs, closed FROM agent_life');
  const selectGaps = db.prepare('SELECT from_ms AS fromMs, to_ms AS toMs FROM agent_gap ORDER BY from_ms');
  const replaceLife = db.prepare('INSERT OR REPLACE INTO agent_life VALUES (1, ?, ?)');
  const removeGaps = db.prepare('DELETE FROM agent_gap');
  const insertGap = db.prepare('INSERT OR REPLACE INTO agent_gap VALUES (?, ?)');
  return {
    load() {
      const life = selectLife.get() as { readonly aliveMs: number; readonly closed: number } | undefined;
      const gaps = selectGaps.all() as TimeRange[];
      return { last: life && { aliveMs: life.aliveMs, isClosed: life.closed === 1 }, gaps };
    },
    save: db.transaction(({ aliveMs, isClosed }: LifeRecord, gaps: readonly TimeRange[]) => {
      replaceLife.run(aliveMs, isClosed ? 1 : 0);
      removeGaps.run();
      for (const { fromMs, toMs } of gaps) insertGap.run(fromMs, toMs);
    }),
  };
}
