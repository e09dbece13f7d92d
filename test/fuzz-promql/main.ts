import { plantEdits } from '../../src/federationtest/plant-edits.ts';
import { MUTANTS } from './mutants.ts';
import { readOptions } from './options.ts';

const options = readOptions(process.argv.slice(2));
try {
  const planted = options.mutant === undefined ? undefined : plantEdits(options.mutant, MUTANTS[options.mutant].edits);
  // Loaded only now: a mutant can change nothing but modules that are loaded after it was planted.
  const { runFuzz } = await import('./run.ts');
  const { report, summarize } = await import('./report.ts');
  const outcome = await runFuzz(options, (line) => process.stderr.write(`${line}\n`));
  planted?.assertLoaded();
  const summary = summarize(outcome, options);
  process.stdout.write(options.json ? `${JSON.stringify(summary)}\n` : report(summary, options));
  process.exitCode = summary.passed ? 0 : 1;
} catch (error) {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`the fuzzing could not run: ${text}\n`);
  process.exitCode = 2;
}
