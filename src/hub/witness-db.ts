import { openDatabaseFor, type DatabaseOptions } from '../base/sqlite.ts';

/** A signed state of a log. */
export interface SignedRoot {
  readonly size: number;
  readonly root: Uint8Array;
  /** The signed note that says so. */
  readonly checkpoint: string;
}

/** That a log signed two states of which one does not grow out of the other. */
export interface Fork {
  readonly why: string;
  readonly atMs: number;
  /** The notes that are the evidence, both signed by the log. */
  readonly checkpoints: readonly [string, string];
}

/** A log as the witness knows it. */
export interface WitnessedLog {
  readonly vkey: string;
  /** Undefined before anything of it was witnessed. */
  readonly latest: SignedRoot | undefined;
  readonly fork: Fork | undefined;
}

/** The key of an agent's ledger that was trusted because it was the first. */
export interface TrustedKey {
  readonly domain: string;
  readonly url: string;
  readonly vkey: string;
  readonly atMs: number;
}

/** What a hub must remember of ledgers, whatever becomes of its process: each change is on disk when the call returns. */
export interface WitnessDb {
  log(vkey: string): WitnessedLog;
  /** All logs that anything is known of. */
  logs(): readonly WitnessedLog[];
  /** Puts a state in the place of one of this size (0: none); false where that is not the latest any more. */
  advance(vkey: string, fromSize: number, to: SignedRoot): boolean;
  /** Keeps the evidence; the first that there is of a log stays. */
  addFork(vkey: string, fork: Fork): void;
  /** Forgets the log, its fork and who was trusted to have its key. Whether there was anything to forget. */
  forget(vkey: string): boolean;
  trustedKey(domain: string, url: string): string | undefined;
  trustedKeys(): readonly TrustedKey[];
  /** Keeps the key of an agent that has none yet. */
  trust(key: TrustedKey): void;
  close(): void;
}

const OPTIONS: DatabaseOptions = {
  durability: 'fsync',
  kind: 'CmWt',
  migrations: [
    `
    CREATE TABLE log (
      vkey TEXT PRIMARY KEY,
      size INTEGER NOT NULL CHECK (size > 0),
      root BLOB NOT NULL,
      checkpoint TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE fork (
      vkey TEXT PRIMARY KEY,
      why TEXT NOT NULL,
      at_ms INTEGER NOT NULL,
      one TEXT NOT NULL,
      other TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE trusted_key (
      domain TEXT NOT NULL,
      url TEXT NOT NULL,
      vkey TEXT NOT NULL,
      at_ms INTEGER NOT NULL,
      PRIMARY KEY (domain, url)
    ) WITHOUT ROWID;
    `,
  ],
};

interface LogRow {
  readonly size: number;
  readonly root: Buffer;
  readonly checkpoint: string;
}

interface ForkRow {
  readonly why: string;
  readonly atMs: number;
  readonly one: string;
  readonly other: string;
}

/** Opens or makes the file. Throws `bad_config`. */
export function openWitnessDb(path: string): WitnessDb {
  return openDatabaseFor(path, OPTIONS, (db) => {
    const selectLog = db.prepare<[string], LogRow>('SELECT size, root, checkpoint FROM log WHERE vkey = ?');
    const selectFork = db.prepare<[string], ForkRow>('SELECT why, at_ms AS atMs, one, other FROM fork WHERE vkey = ?');
    const selectKeys = db.prepare<[], { vkey: string }>(
      'SELECT vkey FROM log UNION SELECT vkey FROM fork UNION SELECT vkey FROM trusted_key ORDER BY vkey',
    );
    const insertLog = db.prepare(
      'INSERT INTO log (vkey, size, root, checkpoint) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
    );
    const updateLog = db.prepare('UPDATE log SET size = ?, root = ?, checkpoint = ? WHERE vkey = ? AND size = ?');
    const insertFork = db.prepare('INSERT OR IGNORE INTO fork (vkey, why, at_ms, one, other) VALUES (?, ?, ?, ?, ?)');
    const selectTrusted = db.prepare<[string, string], { vkey: string }>(
      'SELECT vkey FROM trusted_key WHERE domain = ? AND url = ?',
    );
    const selectAllTrusted = db.prepare<[], TrustedKey>(
      'SELECT domain, url, vkey, at_ms AS atMs FROM trusted_key ORDER BY domain, url',
    );
    const insertTrusted = db.prepare(
      'INSERT OR IGNORE INTO trusted_key (domain, url, vkey, at_ms) VALUES (?, ?, ?, ?)',
    );
    const forget = ['log', 'fork', 'trusted_key'].map((table) => db.prepare(`DELETE FROM ${table} WHERE vkey = ?`));
    const forgetAll = db.transaction((vkey: string) => {
      const changes = forget.map((statement) => statement.run(vkey).changes);
      return changes.some((count) => count > 0);
    });

    const log = (vkey: string): WitnessedLog => {
      const latest = selectLog.get(vkey);
      const fork = selectFork.get(vkey);
      return {
        vkey,
        latest,
        fork: fork && { why: fork.why, atMs: fork.atMs, checkpoints: [fork.one, fork.other] },
      };
    };
    return {
      log,
      logs: () => selectKeys.all().map(({ vkey }) => log(vkey)),
      advance(vkey, fromSize, { size, root, checkpoint }) {
        const { changes } =
          fromSize === 0
            ? insertLog.run(vkey, size, root, checkpoint)
            : updateLog.run(size, root, checkpoint, vkey, fromSize);
        return changes === 1;
      },
      addFork: (vkey, { why, atMs, checkpoints: [one, other] }) => void insertFork.run(vkey, why, atMs, one, other),
      forget: (vkey) => forgetAll.immediate(vkey),
      trustedKey: (domain, url) => selectTrusted.get(domain, url)?.vkey,
      trustedKeys: () => selectAllTrusted.all(),
      trust: ({ domain, url, vkey, atMs }) => void insertTrusted.run(domain, url, vkey, atMs),
      close: () => void db.close(),
    };
  });
}
