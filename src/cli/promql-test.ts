import { readFileSync } from 'node:fs';
import { Command, Option } from 'commander';
import { ComityError, messageOf } from '../base/errors.ts';
import { PromqlError, renderCaret } from '../promql/parse-error.ts';
import { FEATURE_NAMES, featuresFrom } from '../promql/features.ts';
import { openDatabase, type Database } from '../promqltest/database.ts';
import { parseScript } from '../promqltest/parse-script.ts';
import { RULES, runScript, type Failure, type Rules, type ScriptResult } from '../promqltest/run-script.ts';
import { ScriptError } from '../promqltest/script-line.ts';

interface Options {
  readonly shards: string;
  readonly enableFeature: readonly string[];
  readonly disableFeature: readonly string[];
  readonly rules: Rules;
  readonly json?: boolean;
}

/** `comity promql test FILE…`: runs promqltest scripts over an embedded store. */
export function promqlTestCommand(): Command {
  return new Command('test')
    .description(
      'Run scripts in Prometheus’s promqltest language (load, clear, eval) over an embedded store in a temporary folder.',
    )
    .argument('<file...>', 'the scripts')
    .option('--shards <number>', 'threads that the store is spread over; 0: one store, no thread', '1')
    .option('--enable-feature <names>', `a feature to turn on, or several with commas; may be repeated`, collect, [])
    .option('--disable-feature <names>', 'the same for one to turn off', collect, [])
    .addOption(
      new Option('--rules <version>', 'the version of Prometheus to follow where they differ')
        .choices(RULES)
        .default('either'),
    )
    .option('--json', 'print JSON lines')
    .addHelpText(
      'after',
      `\nThere are the features ${FEATURE_NAMES.join(', ')};\nall but ${OFF.join(', ')} are on, as in Prometheus's own ` +
        'tests.\n\nExit status: 0 all passed, 1 a failure or an error.',
    )
    .action(run);
}

/** What Prometheus's own scripts are not run with. */
const OFF = ['type-and-unit-labels'];

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, ...value.split(',')];
}

async function run(files: readonly string[], options: Options): Promise<void> {
  const print = options.json === true ? printJson : printText;
  const features = featuresOf(options);
  const database = await openDatabase({ shards: shardsOf(options.shards), features });
  const startMs = performance.now();
  let evaluations = 0;
  let failed = 0;
  let errors = 0;
  try {
    for (const file of files) {
      try {
        const { failures, ...result } = await runFile(file, database, features, options.rules);
        evaluations += result.evaluations;
        failed += failures.length;
        for (const failure of failures) print({ type: 'failure', ...failure });
      } catch (error) {
        if (!(error instanceof ComityError)) throw error;
        errors++;
        print(errorReport(file, error));
      }
    }
  } finally {
    await database.close();
  }
  const seconds = Math.round(performance.now() - startMs) / 1000;
  const passed = evaluations - failed;
  print({ type: 'summary', files: files.length, evaluations, passed, failed, errors, seconds });
  if (failed > 0 || errors > 0) process.exitCode = 1;
}

async function runFile(
  file: string,
  database: Database,
  features: ReturnType<typeof featuresOf>,
  rules: Rules,
): Promise<ScriptResult> {
  const commands = parseScript(file, readScript(file), features);
  await database.clear();
  return runScript(commands, database, rules);
}

function readScript(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ComityError('not_found', `cannot read ${file}: ${messageOf(error)}`, { cause: error });
  }
}

function featuresOf({ enableFeature, disableFeature }: Options): ReturnType<typeof featuresFrom> {
  // Names that are none are told whether they are turned on or off.
  featuresFrom([...enableFeature, ...disableFeature]);
  const on = FEATURE_NAMES.filter((name) => !OFF.includes(name) || enableFeature.includes(name));
  return featuresFrom(on.filter((name) => !disableFeature.includes(name)));
}

/** As many as a machine for tests may have. */
const SHARDS_MAX = 64;

function shardsOf(text: string): number {
  const shards = Number(text);
  if (/^\d+$/.test(text) && shards <= SHARDS_MAX) return shards;
  throw new ComityError('bad_data', `--shards must be a number from 0 to ${SHARDS_MAX}, not ${JSON.stringify(text)}`);
}

type Report =
  | ({ readonly type: 'failure' } & Failure)
  | {
      readonly type: 'error';
      readonly file: string;
      /** Of a place in the script; missing where the script could not be read. */
      readonly line?: number;
      readonly column?: number;
      readonly problem: string;
      readonly rendering?: string;
    }
  | {
      readonly type: 'summary';
      readonly files: number;
      readonly evaluations: number;
      readonly passed: number;
      readonly failed: number;
      /** Scripts that could not be read or run to the end. */
      readonly errors: number;
      readonly seconds: number;
    };

function errorReport(file: string, error: ComityError): Report {
  if (!(error instanceof ScriptError)) return { type: 'error', file, problem: error.message };
  const { line, column, problem, rendering } = error;
  return { type: 'error', file, line, column, problem, rendering };
}

function printJson(report: Report): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

function printText(report: Report): void {
  process.stdout.write(`${textOf(report)}\n`);
}

function textOf(report: Report): string {
  switch (report.type) {
    case 'failure':
      return failureText(report);
    case 'error': {
      const { file, line, column, problem, rendering } = report;
      const place = line === undefined ? file : `${file}:${line}:${column}`;
      return `${place}: ${problem}\n${rendering === undefined ? '' : `${indent(rendering)}\n`}`;
    }
    case 'summary': {
      const { files, evaluations, passed, failed, errors, seconds } = report;
      const inError = errors === 0 ? '' : `, ${errors} scripts in error`;
      return `${evaluations} evaluations in ${files} scripts: ${passed} passed, ${failed} failed${inError} (${seconds} s)`;
    }
  }
}

function failureText({ file, line, query, mode, problem, expected, got, rendering }: Failure): string {
  const lines = [
    `${file}:${line}: ${problem}`,
    rendering === undefined ? caretText(query, got ?? '') : indent(rendering),
  ];
  if (mode !== '') lines.push(`  ${mode}`);
  if (expected !== undefined) lines.push('  expected', indent(expected, 4));
  if (got !== undefined) lines.push('  got', indent(got, 4));
  return `${lines.join('\n')}\n`;
}

/** A position in the query, as annotations end with one and errors of parsing begin with one. */
const POSITION = /^1:(\d+): |\(1:(\d+)\)$/m;

/** The query, with a caret under the place that a message names. */
function caretText(query: string, message: string): string {
  const match = POSITION.exec(message);
  if (match === null) return indent(query);
  const start = Number(match[1] ?? match[2]) - 1;
  return indent(renderCaret(new PromqlError(query, { start, end: start + 1 }, '')));
}

function indent(text: string, spaces = 2): string {
  return text.replace(/^/gm, ' '.repeat(spaces));
}
