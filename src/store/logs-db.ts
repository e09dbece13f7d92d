import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ComityError, messageOf } from '../base/errors.ts';
import { hasHeader, isDamage, makeDatabase, removeDatabase, renameDatabase, type Durability } from '../base/sqlite.ts';
import { openLogDb, type LogDb } from './log-db.ts';

/** The files of a store's write-ahead logs, one a generation of its memtable. */
export interface LogFiles {
  /** The generations that there are logs of, in order. */
  numbers(): readonly number[];
  /** Makes a log that there is none of yet. Throws `unavailable`, and leaves nothing behind. */
  begin(generation: number): LogDb;
  /** Opens a log; one whose file is damaged is put aside, and the fault returned. */
  open(generation: number): LogDb | Error;
  remove(generation: number): void;
  nameOf(generation: number): string;
}

const NAME = /^log-(\d+)\.sqlite$/;

export function isLogFile(file: string): boolean {
  return NAME.test(file);
}

/** `folder` undefined: all in memory. */
export function logFiles(folder: string | undefined, durability: Durability): LogFiles {
  const nameOf = (generation: number): string => `log-${generation}.sqlite`;
  const pathOf = (generation: number): string => (folder === undefined ? ':memory:' : join(folder, nameOf(generation)));

  function make(generation: number): LogDb {
    const path = pathOf(generation);
    if (folder !== undefined) makeDatabase(path, (unfinished) => openLogDb(unfinished, durability).close());
    return openLogDb(path, durability);
  }

  return {
    nameOf,
    numbers() {
      if (folder === undefined) return [];
      const found = readdirSync(folder).flatMap((file) => NAME.exec(file)?.[1] ?? []);
      return found.map(Number).sort((a, b) => a - b);
    },
    begin(generation) {
      try {
        return make(generation);
      } catch (error) {
        // What there is of it holds nothing, and is not to be taken for a log that was lost.
        if (folder !== undefined) removeDatabase(pathOf(generation));
        const reason = messageOf(error);
        const message = `the store cannot begin a log: ${reason}. Make room on its disk`;
        throw new ComityError('unavailable', message, { cause: error });
      }
    },
    open(generation) {
      const path = pathOf(generation);
      let fault: Error;
      try {
        if (hasHeader(path)) return openLogDb(path, durability);
        fault = new Error(`${path} is too short for a database`);
      } catch (error) {
        if (!isDamage(error) || !(error instanceof Error)) throw error;
        fault = error;
      }
      renameDatabase(path, `${path}.damaged`);
      return fault;
    },
    remove: (generation) => removeDatabase(pathOf(generation)),
  };
}
