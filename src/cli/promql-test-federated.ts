import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Option } from 'commander';
import { ComityError } from '../base/errors.ts';
import { MUTANT_NAMES, MUTANTS, type MutantName } from '../federationtest/mutants.ts';
import type { FormReport } from '../federationtest/run-federated.ts';
import { openFederatedScripts, type FederatedScripts, type ScriptsOptions } from '../federationtest/run-scripts.ts';
import { startTally, type Count, type Tally } from '../federationtest/tally.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import { parseScript } from '../promqltest/parse-script.ts';
import type { Rules } from '../promqltest/run-script.ts';
import {
  errorReport,
  errorText,
  failureText,
  readScript,
  reportPrinter,
  type ErrorReport,
} from './promql-test-report.ts';

/** What makes a federation of the stores that scripts run on; as they are given. */
export interface FederatedOptions {
  readonly domains?: string;
  readonly seed: string;
  readonly class: 'open' | 'aggregate';
  readonly kill: string;
  readonly mutant?: MutantName;
}

export function federatedOptions(): readonly Option[] {
  return [
    new Option(
      '--domains <number>',
      'split the series of each script at random over so many domains, and hold every answer of their federation against ' +
        'that of one store with all series under their domain label',
    ),
    new Option('--seed <number>', 'which split, and which choices of --class aggregate and --kill').default('1'),
    new Option(
      '--class <class>',
      'egress class of all metrics; aggregate also asks each query with its selectors aggregated',
    )
      .choices(['open', 'aggregate'])
      .default('open'),
    new Option('--kill <number>', 'domains that are silent in each evaluation').default('0'),
    new Option('--mutant <name>', 'plant a fault in the sources first, which must come out as wrong answers').choices(
      MUTANT_NAMES,
    ),
  ];
}

export function isFederated({ domains, mutant, kill, class: egressClass }: FederatedOptions): boolean {
  return domains !== undefined || mutant !== undefined || kill !== '0' || egressClass !== 'open';
}

const DOMAINS_MAX = 16;

/** Set in the process that has a fault planted. */
const PLANTED = 'COMITY_PROMQLTEST_PLANTED';

interface TestOptions extends FederatedOptions {
  readonly shards: number;
  readonly features: PromqlFeatures;
  readonly rules: Rules;
  readonly json?: boolean;
}

/** Runs the scripts over a federation and prints what was wrong, what was refused, and a summary. */
export async function runFederatedTest(files: readonly string[], options: TestOptions): Promise<void> {
  const { mutant, features, rules } = options;
  if (mutant !== undefined && process.env[PLANTED] !== mutant) return runPlanted(mutant);
  const kill = numberOf('--kill', options.kill, 0, DOMAINS_MAX);
  const settings: ScriptsOptions = {
    domains: numberOf('--domains', options.domains ?? '3', 1, DOMAINS_MAX),
    seed: numberOf('--seed', options.seed, 0, 2 ** 32 - 1),
    egressClass: options.class,
    kill: mutant === undefined ? kill : Math.max(kill, MUTANTS[mutant].kill ?? 0),
    // A fault is planted in one thread only.
    shards: mutant === undefined ? options.shards : 0,
    features,
    rules,
  };
  if (settings.kill >= settings.domains && settings.kill > 0) {
    throw new ComityError('bad_data', `--kill must leave one of the ${settings.domains} domains, not ${settings.kill}`);
  }
  const print = reportPrinter(options.json === true, textOf);
  const startMs = performance.now();
  const tally = startTally();
  let errors = 0;
  const scripts = await openFederatedScripts(settings);
  try {
    for (const file of files) {
      try {
        await runFile(file, scripts, settings, tally, print);
      } catch (error) {
        if (!(error instanceof ComityError)) throw error;
        errors++;
        print(errorReport(file, error));
      }
    }
  } finally {
    await scripts.close();
  }
  const seconds = Math.round(performance.now() - startMs) / 1000;
  const { domains, seed, egressClass } = settings;
  const run = { domains, shards: settings.shards, seed, class: egressClass, kill: settings.kill, mutant };
  const forms = Object.fromEntries(tally.counts());
  print({ type: 'summary', files: files.length, ...run, forms, wrong: tally.wrong, errors, seconds });
  if (tally.wrong > 0 || errors > 0) process.exitCode = 1;
}

async function runFile(
  file: string,
  scripts: FederatedScripts,
  { features, seed, egressClass }: ScriptsOptions,
  tally: Tally,
  print: (report: Report) => void,
): Promise<void> {
  await scripts.run(file, parseScript(file, readScript(file), features), (report, split) => {
    tally.add(report);
    if (report.outcome === 'wrong') print({ type: 'wrong', seed, ...report, split: split() });
    // Of class aggregate most bare queries are refused; the summary counts them.
    if (report.outcome === 'refused' && egressClass === 'open') print({ type: 'refused', ...report });
  });
}

/** Runs this very command again in a process that has the fault planted. */
async function runPlanted(mutant: MutantName): Promise<void> {
  const entry = fileURLToPath(new URL('./promql-test-planted.ts', import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, entry, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, [PLANTED]: mutant },
  });
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

function numberOf(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new ComityError('bad_data', `${option} must be a number from ${least} to ${most}, not ${JSON.stringify(text)}`);
}

type Report =
  | ({ readonly type: 'wrong'; readonly seed: number; readonly split: readonly string[] } & FormReport)
  | ({ readonly type: 'refused' } & FormReport)
  | ErrorReport
  | {
      readonly type: 'summary';
      readonly files: number;
      readonly domains: number;
      readonly shards: number;
      readonly seed: number;
      readonly class: string;
      readonly kill: number;
      readonly mutant: string | undefined;
      readonly forms: Readonly<Record<string, Count>>;
      readonly wrong: number;
      readonly errors: number;
      readonly seconds: number;
    };

function textOf(report: Report): string {
  switch (report.type) {
    case 'wrong': {
      const { difference, mode, form, seed, split } = report;
      const how = [form, mode, `seed ${seed}`].filter((part) => part !== '').join(', ');
      return failureText({ ...report, ...difference!, mode: how }, split);
    }
    case 'refused':
      return `${report.file}:${report.line}: refused (${report.reason}): ${report.query}`;
    case 'error':
      return errorText(report);
    case 'summary':
      return summaryText(report);
  }
}

function summaryText(report: Extract<Report, { type: 'summary' }>): string {
  const { files, domains, shards, seed, kill, forms, wrong, errors, seconds } = report;
  const silent = kill === 0 ? '' : `, ${kill} silent`;
  const planted = report.mutant === undefined ? '' : `, mutant ${report.mutant}`;
  const lines = [
    `${files} scripts over ${domains} domains (class ${report.class}, ${shards} shards, seed ${seed}${silent}${planted}):`,
    ...Object.entries(forms).map(([form, count]) => `  ${form}: ${countText(count)}`),
    `  ${wrong} wrong${errors === 0 ? '' : `, ${errors} scripts in error`} (${seconds} s)`,
  ];
  return lines.join('\n');
}

function countText(count: Count): string {
  const { evaluations, exact, partial, refused, wrong, reasons, eligible, eligibleAnswered, expected } = count;
  const named = Object.entries(reasons).map(([reason, times]) => `${reason} ${times}`);
  const parts = [
    `${evaluations} evaluations`,
    `${exact} exact`,
    ...(partial > 0 ? [`${partial} partial`] : []),
    `${refused} refused${named.length === 0 ? '' : ` (${named.join(', ')})`}`,
    `${wrong} wrong`,
    `${eligibleAnswered} of ${eligible} eligible (${eligible === 0 ? '-' : ((100 * eligibleAnswered) / eligible).toFixed(1)} %)`,
    ...(expected > 0 ? [`${expected} also as the script expects`] : []),
  ];
  return parts.join(', ');
}
