/*
 * `npm run fuzz:wire`: mutated inputs for every decoder of what comes from outside, in a thread that is watched from here:
 * a hang ends with the name of the case as surely as an error does.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Command } from 'commander';
import { wholeNumber } from '../command-line.ts';
import { targets } from './targets.ts';
import type { FuzzReport, FuzzWork } from './worker.ts';

/** A case that makes no progress for so long hangs. */
const HANG_MS = 15_000;

interface Options {
  readonly seconds: number;
  readonly seed: number;
  readonly target: readonly string[];
  readonly index?: number;
  readonly json: boolean;
}

const names = targets().map(({ name }) => name);
const options = readOptions();
const progress = new SharedArrayBuffer(8);
const at = new Int32Array(progress);
const chosen = names.filter((name) => options.target.length === 0 || options.target.includes(name));
const work: FuzzWork = { ...options, only: options.target, index: options.index, progress };
const worker = new Worker(new URL('worker.ts', import.meta.url), {
  workerData: work,
  resourceLimits: { maxOldGenerationSizeMb: 1_024 },
});

let last = '';
let lastMs = performance.now();
const watch = setInterval(() => {
  const now = `${chosen[Atomics.load(at, 0)] ?? ''} case ${Atomics.load(at, 1)}`;
  if (now !== last) {
    last = now;
    lastMs = performance.now();
    process.stderr.write(`${now}\n`);
  } else if (performance.now() - lastMs > HANG_MS) {
    process.stderr.write(`${now} of seed ${options.seed} hangs\n`);
    process.exit(1);
  }
}, 1_000);

try {
  const [report] = (await once(worker, 'message')) as [FuzzReport];
  print(report);
  process.exitCode = report.findings.length === 0 ? 0 : 1;
} catch (error) {
  process.stderr.write(`${last} or later, seed ${options.seed}: the thread ended: ${String(error)}\n`);
  process.exitCode = 1;
} finally {
  clearInterval(watch);
  await worker.terminate();
}

function print({ counts, findings }: FuzzReport): void {
  for (const { target, index, problem, input } of findings) {
    process.stderr.write(
      `${target} case ${index}: ${problem}\n  input (base64): ${Buffer.from(input).toString('base64').slice(0, 1_200)}\n` +
        `  again: npm run fuzz:wire -- --seed ${options.seed} --target ${target} --index ${index}\n`,
    );
  }
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ seed: options.seed, counts, findings: findings.length })}\n`);
    return;
  }
  for (const { target, taken, refused } of counts) {
    process.stdout.write(
      `${target.padEnd(24)}${String(taken).padStart(9)} taken${String(refused).padStart(9)} refused\n`,
    );
  }
  process.stdout.write(`seed ${options.seed}: ${findings.length} findings\n`);
}

function readOptions(): Options {
  const command = new Command('npm run fuzz:wire --')
    .description('Feeds mutated inputs to the decoders of everything that comes from outside.')
    .option('--seconds <number>', 'how long', wholeNumber, 60)
    .option('--seed <number>', 'seed of the inputs', wholeNumber, 1)
    .option('--target <name...>', `decoders to run, all when left out: ${names.join(', ')}`, [])
    .option('--index <number>', 'run one case alone', wholeNumber)
    .option('--json', 'print the counts as JSON', false)
    .addHelpText('after', '\nExit status: 0 without findings, 1 with some. A finding is printed with its input.');
  return command.parse().opts<Options>();
}
