import { Command, Option } from 'commander';
import { ComityError } from '../base/errors.ts';
import { FEATURE_NAMES, featuresFrom, type PromqlFeatures } from '../promql/features.ts';
import { openDatabase, type Database } from '../promqltest/database.ts';
import { parseScript } from '../promqltest/parse-script.ts';
import { RULES, runScript, type Failure, type Rules, type ScriptResult } from '../promqltest/run-script.ts';
import { federatedOptions, isFederated, runFederatedTest, type FederatedOptions } from './promql-test-federated.ts';
import {
  errorReport,
  errorText,
  failureText,
  readScript,
  reportPrinter,
  type ErrorReport,
} from './promql-test-report.ts';

interface Options extends FederatedOptions {
  readonly shards: string;
  readonly enableFeature: readonly string[];
  readonly disableFeature: readonly string[];
  readonly rules: Rules;
  readonly json?: boolean;
}

/** `comity promql test FILE…`: runs promqltest scripts over an embedded store, or over a federation of them. */
export function promqlTestCommand(): Command {
  const command = new Command('test')
    .description(
      'Run scripts in Prometheus’s promqltest language (load, clear, eval) over an embedded store in a temporary folder, ' +
        'or with --domains over a federation of such stores, whose answers must be those of one store with everything.',
    )
    .argument('<file...>', 'the scripts')
    .option('--shards <number>', 'threads that each store is spread over; 0: one store, no thread', '1')
    .option('--enable-feature <names>', `a feature to turn on, or several with commas; may be repeated`, collect, [])
    .option('--disable-feature <names>', 'the same for one to turn off', collect, [])
    .addOption(
      new Option('--rules <version>', 'the version of Prometheus to follow where they differ')
        .choices(RULES)
        .default('either'),
    )
    .option('--json', 'print JSON lines');
  for (const option of federatedOptions()) command.addOption(option);
  return command
    .addHelpText(
      'after',
      `\nThere are the features ${FEATURE_NAMES.join(', ')};\nall but ${OFF.join(', ')} are on, as in Prometheus's own ` +
        'tests.\n\nExit status: 0 all passed (over domains: nothing wrong), 1 a failure or an error.',
    )
    .action(run);
}

/** What Prometheus's own scripts are not run with. */
const OFF = ['type-and-unit-labels'];

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, ...value.split(',')];
}

async function run(files: readonly string[], options: Options): Promise<void> {
  const features = featuresOf(options);
  const shards = shardsOf(options.shards);
  if (isFederated(options)) return runFederatedTest(files, { ...options, features, shards });
  const print = reportPrinter(options.json === true, textOf);
  const database = await openDatabase({ shards, features });
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
  features: PromqlFeatures,
  rules: Rules,
): Promise<ScriptResult> {
  const commands = parseScript(file, readScript(file), features);
  await database.clear();
  return runScript(commands, database, rules);
}

function featuresOf({ enableFeature, disableFeature }: Options): PromqlFeatures {
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
  | ErrorReport
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

function textOf(report: Report): string {
  switch (report.type) {
    case 'failure':
      return failureText(report);
    case 'error':
      return errorText(report);
    case 'summary': {
      const { files, evaluations, passed, failed, errors, seconds } = report;
      const inError = errors === 0 ? '' : `, ${errors} scripts in error`;
      return `${evaluations} evaluations in ${files} scripts: ${passed} passed, ${failed} failed${inError} (${seconds} s)`;
    }
  }
}
