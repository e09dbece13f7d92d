/*
 * `npm run bench`: every workload that this machine can run, beside the peers whose programs are at hand. Prints the table
 * and writes bench/results.json.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { wholeNumber } from '../test/command-line.ts';
import { otlpIngest, remoteWriteIngest } from './ingest.ts';
import { table } from './table.ts';
import { measure, type Result } from './workload.ts';

const { args, ...options } = readOptions();
const wanted = (name: string): boolean => args.length === 0 || args.includes(name);
const progress = (line: string): void => void process.stderr.write(`${line}\n`);

const results: Result[] = [];
if (wanted('W1'))
  results.push(await measure(remoteWriteIngest(options.seed, options.scrapes), options.repeat, progress));
if (wanted('W2')) {
  for (const workload of otlpIngest(options.seed, options.scrapes)) {
    results.push(await measure(workload, options.repeat, progress));
  }
}

const { model } = cpus()[0]!;
const report = {
  date: new Date().toISOString(),
  cpus: cpus().length,
  model,
  node: process.version,
  ...options,
  results,
};
writeFileSync(join(import.meta.dirname, 'results.json'), `${JSON.stringify(report, undefined, 2)}\n`);
process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : table(results));

interface Options {
  readonly args: readonly string[];
  readonly seed: number;
  readonly scrapes: number;
  readonly repeat: number;
  readonly json: boolean;
}

function readOptions(): Options {
  const command = new Command('npm run bench --')
    .description('Measures workloads beside their peers, in one run on one machine.')
    .argument('[workload...]', 'W1 or W2; all when left out')
    .option('--seed <number>', 'seed of the data', wholeNumber, 1)
    .option('--scrapes <number>', 'samples of each series', wholeNumber, 60)
    .option('--repeat <number>', 'runs of which the median counts', wholeNumber, 3)
    .option('--json', 'print the results as JSON', false)
    .addHelpText(
      'after',
      '\nPeers: Prometheus 3.15 (COMITY_ORACLE, the PATH, or built with Go) and the OpenTelemetry Collector with its redaction\n' +
        'processor and nop exporter (COMITY_COLLECTOR, or otelcol-contrib or otelcol on the PATH). CPU time needs Linux.',
    );
  command.parse();
  return { args: command.args, ...command.opts<Omit<Options, 'args'>>() };
}
