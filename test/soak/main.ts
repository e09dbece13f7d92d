import { readOptions } from './options.ts';
import { AgentLost } from './killing.ts';
import { leastOf, runSoak, type Outcome } from './run.ts';

const options = readOptions(process.argv.slice(2));
try {
  const outcome = await runSoak(options, (line) => process.stderr.write(`${line}\n`));
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ seed: options.seed, fault: options.fault, ...outcome })}\n`
      : table(options.seed, outcome),
  );
  const least = leastOf(outcome.minutes);
  const few = [outcome.kills, outcome.deletions, outcome.compactions].some((count) => count < least);
  if (few) process.stderr.write(`too little happened: at least ${least} kills, deletions and compactions are needed\n`);
  process.exitCode = outcome.mismatches === 0 && !few ? 0 : 1;
} catch (error) {
  const isLost = error instanceof AgentLost;
  const text = error instanceof Error && !isLost ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`${isLost ? 'the agent is lost' : 'the soak could not run'}: ${text}\n`);
  process.exitCode = isLost ? 1 : 2;
}

function table(seed: number, outcome: Outcome): string {
  const { readyMs, memory, bytesOnDisk, samplesHeld } = outcome;
  const mib = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(0)} MiB`;
  const ms = (value: number): string => `${value.toFixed(0)} ms`;
  const rows: readonly (readonly [string, string])[] = [
    ['seed, minutes', `${seed}, ${outcome.minutes}`],
    ['kills, deletions, compactions', `${outcome.kills}, ${outcome.deletions}, ${outcome.compactions}`],
    ['copies compared', String(outcome.copies)],
    ['time to ready', `${ms(readyMs.min)} to ${ms(readyMs.max)}, median ${ms(readyMs.median)}`],
    ['samples acknowledged', `${outcome.samples}, ${outcome.repeated} requests sent again`],
    ['samples erased', String(outcome.samplesErased)],
    ['comparisons', String(outcome.comparisons)],
    ['mismatches', String(outcome.mismatches)],
    ['RSS', `${mib(memory.min)} to ${mib(memory.max)}, median ${mib(memory.median)}`],
    ['RSS by tenth of the run', `${memory.tenths.map(mib).join(', ')}: ${memory.grows ? 'grows' : 'does not grow'}`],
    ['RSS of the soak itself', `at most ${mib(outcome.ownBytesMax)}`],
    ['on disk', `${bytesOnDisk} bytes for ${samplesHeld} samples, ${(bytesOnDisk / samplesHeld).toFixed(2)} each`],
  ];
  return rows.map(([name, value]) => `${name.padEnd(32)}${value}\n`).join('');
}
