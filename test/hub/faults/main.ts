import { Command, InvalidArgumentError } from 'commander';
import { FAULTS, runCase } from './run.ts';

/*
 * Queries over domains of which one answers wrongly, in every way that is known: what the hub makes of them must be the
 * answer of the others, and name the one that is missing. Exits 1 if it is not.
 */
function whole(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0) throw new InvalidArgumentError('not a whole number');
  return number;
}

const options = new Command('fuzz:faults')
  .option('--seed <n>', 'of the random choices', whole, Math.floor(Math.random() * 2 ** 31))
  .option('--cases <n>', 'how many queries', whole, FAULTS.length * 10)
  .option('--only <n>', 'this case alone', whole)
  .parse()
  .opts<{ seed: number; cases: number; only?: number }>();

process.on('unhandledRejection', (error) => {
  process.stdout.write(`nobody waited for: ${String(error)}\n`);
  process.exitCode = 1;
});
const outcomes = new Map<string, Map<string, number>>();
let findings = 0;
const indices = options.only === undefined ? Array.from({ length: options.cases }, (_, i) => i) : [options.only];
for (const index of indices) {
  const { fault, found, outcome } = await runCase(options.seed, index);
  const seen = outcomes.get(fault) ?? new Map<string, number>();
  outcomes.set(fault, seen.set(outcome, (seen.get(outcome) ?? 0) + 1));
  if (found === undefined) continue;
  findings++;
  process.stdout.write(`case ${index}: ${fault}\n  ${found}\n`);
}
for (const [fault, seen] of outcomes) {
  for (const [outcome, count] of seen)
    process.stderr.write(`${fault.padEnd(48)} ${String(count).padStart(4)} ${outcome}\n`);
}
process.stdout.write(`seed ${options.seed}: ${indices.length} cases, ${outcomes.size} faults, ${findings} findings\n`);
if (findings > 0) process.exitCode = 1;
