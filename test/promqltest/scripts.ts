import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { FEATURE_NAMES, featuresFrom, type PromqlFeatures } from '../../src/promql/features.ts';
import { openDatabase, type Database } from '../../src/promqltest/database.ts';
import { parseScript } from '../../src/promqltest/parse-script.ts';
import { runScript } from '../../src/promqltest/run-script.ts';

const ROOT = dirname(dirname(import.meta.dirname));
const FIXTURES = join(ROOT, 'fixtures', 'promql');

/** The project's own scripts. */
export const OWN_SCRIPTS: readonly string[] = scriptsIn(FIXTURES);

/** Those that hold where names of metrics go at once. */
export const NAMES_AT_ONCE_SCRIPTS: readonly string[] = scriptsIn(join(FIXTURES, 'names-at-once'));

/** Prometheus's scripts beside the project, or where the variable says; they are no part of it. */
export const PUBLIC_SCRIPTS_FOLDER = process.env['COMITY_PROMQLTEST'] ?? join(dirname(ROOT), 'shared', 'promqltest');

export function scriptsIn(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.test'))
    .toSorted()
    .map((name) => join(folder, name));
}

/** The features that scripts are run with, without those of these names. */
export function scriptFeatures(...without: readonly string[]): PromqlFeatures {
  return featuresFrom(FEATURE_NAMES.filter((name) => name !== 'type-and-unit-labels' && !without.includes(name)));
}

/** Runs scripts on one database; `failures` as `file:line: query: problem`. */
export async function runScripts(
  files: readonly string[],
  shards: number,
  features: PromqlFeatures,
): Promise<{ readonly evaluations: number; readonly failures: readonly string[] }> {
  return withDatabase(shards, features, async (database) => {
    let evaluations = 0;
    const failures: string[] = [];
    for (const file of files) {
      await database.clear();
      const result = await runScript(parseScript(basename(file), readFileSync(file, 'utf8'), features), database);
      evaluations += result.evaluations;
      for (const { line, query, mode, problem, expected, got } of result.failures) {
        const compared = expected === undefined && got === undefined ? '' : `: expected ${expected}, got ${got}`;
        failures.push(`${basename(file)}:${line}: ${query} ${mode}: ${problem}${compared}`);
      }
    }
    return { evaluations, failures };
  });
}

export async function withDatabase<Result>(
  shards: number,
  features: PromqlFeatures,
  use: (database: Database) => Promise<Result>,
): Promise<Result> {
  const database = await openDatabase({ shards, features });
  try {
    return await use(database);
  } finally {
    await database.close();
  }
}
