import { readOptions } from './options.ts';
import { runCrash } from './run.ts';

const options = readOptions(process.argv.slice(2));
try {
  const outcome = await runCrash(options, (line) => process.stderr.write(`${line}\n`));
  const { kills, whileStarting, requests, repeated, samples, sums, observations, spans, missing, doubled } = outcome;
  process.stdout.write(
    options.json
      ? `${JSON.stringify({ seed: options.seed, fault: options.fault, ...outcome })}\n`
      : [
          `seed ${options.seed}: ${kills} kills (${whileStarting} while starting), ${requests} requests acknowledged, ${repeated} sent again`,
          `${samples} samples, delta sums of ${sums}, ${observations} observations in delta histograms, ${spans} spans`,
          `missing ${missing}`,
          `doubled ${doubled}`,
          '',
        ].join('\n'),
  );
  process.exitCode = missing === 0 && doubled === 0 ? 0 : 1;
} catch (error) {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`the crash test could not run: ${text}\n`);
  process.exitCode = 2;
}
