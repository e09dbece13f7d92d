/*
 * `npm run bench`: every workload that this machine can run, beside the peers whose programs are at hand. Prints the table
 * and writes bench/results.json.
 */
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { wholeNumber } from '../test/command-line.ts';
import { dashboard } from './dashboard.ts';
import { disk } from './disk.ts';
import { federated } from './federation.ts';
import { otlpIngest, remoteWriteIngest } from './ingest.ts';
import { latency } from './latency.ts';
import { ledger } from './ledger.ts';
import { memory } from './memory.ts';
import { constructs } from './constructs.ts';
import { longWindow, shortWindow } from './query.ts';
import { writeReport, type ReportRow, type Run } from './report.ts';
import type { Row } from './row.ts';
import { simulated } from './simulated.ts';
import { table } from './table.ts';
import type { Settings } from './workload.ts';

/** By the names that they are asked for by. */
const WORKLOADS: Readonly<Record<string, (settings: Settings, options: Options) => Promise<Row[]>>> = {
  W1: (settings, { scrapes }) => remoteWriteIngest(settings, scrapes),
  W2: (settings, { scrapes }) => otlpIngest(settings, scrapes),
  W3: shortWindow,
  W4: longWindow,
  W5: federated,
  W6: dashboard,
  W7: (settings, { results }) => simulated(settings, join(dirname(results), PICTURE)),
  promql: constructs,
  W8: disk,
  W9: (settings, { live }) => memory(settings, live),
  latency,
  ledger,
};

/** The curves of W7, beside the results. */
const PICTURE = 'curves.svg';

const HELP = `
Workloads:
  W1       remote write as fast as it is taken
  W2       OTLP metrics and spans, redacted
  W3       sum by (service) (rate(x[5m])): the first query after a restart, and later ones
  W4       the same over [1h], and over a day
  W5       queries over three domains through the hub, and what comes when one is killed
  W6       a dashboard of 20 panels over three domains, loaded once and refreshed every 15 s
  W7       10, 100 and 1,000 simulated domains: hub CPU and bytes by domains, groups, steps and raw series, with a picture
  promql   functions, aggregations and operators one by one, warm
  W8       bytes on disk: counters, gauges, native and classic histograms each
  W9       memory of 50,000 and 200,000 live series, and the start after kill -9
  latency  remote write at a fixed rate, alone and beside heavy queries
  ledger   a small query alone, and many panels of an hour, through a hub with the ledger and without

Peers: Prometheus 3.15 (COMITY_ORACLE, the PATH, or built with Go); the OpenTelemetry Collector with its redaction processor
and nop exporter (COMITY_COLLECTOR, or otelcol-contrib or otelcol on the PATH); VictoriaMetrics (COMITY_VICTORIA, or
victoria-metrics on the PATH). W5 takes thanos and promxy from the PATH: Thanos Query with either engine and distributed over
leaf queriers, each over sidecars; promxy and one Prometheus's remote read over the same three Prometheus servers; one more has
all samples and says what is right. Bytes are counted where each system's requests enter a domain, as they are sent. A peer
whose program is missing is left out. CPU time and memory need Linux.

"ours" says how many times better ours is than the peer in its line. Results of other workloads in the file stay.
`;

const { names, ...options } = readOptions();
// Ends through here, so that what was started is ended as well.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

const settings: Settings = { ...options, progress: (line) => void process.stderr.write(`${line}\n`) };
const rows: ReportRow[] = [];
for (const name of names) {
  const measured = await WORKLOADS[name]!(settings, options);
  rows.push(...measured.map((row) => ({ ...row, run: run(options) })));
  // After each: a long run that is broken off keeps what it has.
  writeReport(options.results, rows);
}
process.stdout.write(options.json ? `${JSON.stringify({ rows })}\n` : table(rows));

interface Options {
  readonly seed: number;
  readonly scrapes: number;
  readonly repeat: number;
  readonly scale: number;
  readonly live: readonly number[];
  readonly results: string;
  readonly json: boolean;
}

function run({ seed, scale, repeat }: Options): Run {
  const { model } = cpus()[0]!;
  return { date: new Date().toISOString(), cpus: cpus().length, model, node: process.version, seed, scale, repeat };
}

function readOptions(): Options & { readonly names: readonly string[] } {
  const all = Object.keys(WORKLOADS);
  const command = new Command('npm run bench --')
    .description('Measures workloads beside their peers, in one run on one machine.')
    .argument('[workload...]', `any of ${all.join(', ')}; all when left out`)
    .option('--seed <number>', 'seed of the data', wholeNumber, 1)
    .option('--scrapes <number>', 'samples of each series in W1 and W2', wholeNumber, 60)
    .option('--repeat <number>', 'runs of which the median counts', positive, 3)
    .option('--scale <part>', 'part of the series in all but W1 and W2: 0.1 for a quick look', part, 1)
    .option('--live <number>', 'live series of W9, instead of its own; may be given again', counts, [])
    .option('--results <file>', 'where results are kept', join(import.meta.dirname, 'results.json'))
    .option('--json', 'print the results as JSON', false)
    .addHelpText('after', HELP);
  command.parse();
  const unknown = command.args.find((name) => !all.includes(name));
  if (unknown !== undefined) command.error(`there is no workload ${unknown}; there are ${all.join(', ')}`);
  return { names: command.args.length === 0 ? all : command.args, ...command.opts<Options>() };
}

function positive(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('not a whole number of at least 1');
  return value;
}

function counts(text: string, before: readonly number[]): readonly number[] {
  return [...before, positive(text)];
}

function part(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 1)) throw new InvalidArgumentError('not a number above 0 and at most 1');
  return value;
}
