import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { answers, startTied, versionOf, type TiedProgram } from './tied-program.ts';

/** An OpenTelemetry Collector: `COMITY_COLLECTOR`, else `otelcol-contrib` or `otelcol` on the PATH; undefined without. */
export async function findCollector(): Promise<string | undefined> {
  const named = process.env['COMITY_COLLECTOR'] ?? '';
  if (named !== '') {
    if ((await versionOf(named)) !== undefined) return named;
    throw new Error(`COMITY_COLLECTOR names ${named}, which is no program that tells its version`);
  }
  for (const program of ['otelcol-contrib', 'otelcol']) if ((await versionOf(program)) !== undefined) return program;
  return undefined;
}

/**
 * Starts a Collector and waits until all of its OTLP receivers over HTTP at `receiverUrls` answer; it has no page of its
 * own that says it is ready.
 */
export async function startCollector(
  program: string,
  config: object,
  receiverUrls: readonly string[],
  featureGates: readonly string[] = [],
): Promise<TiedProgram> {
  const prepare = async (dir: string) => {
    const path = join(dir, 'collector.json');
    await writeFile(path, JSON.stringify(config));
    return [`--config=file:${path}`, ...featureGates.map((gate) => `--feature-gates=${gate}`)];
  };
  return startTied(program, prepare, async () => {
    const ready = await Promise.all(receiverUrls.map((url) => answers(`${url}/v1/metrics`, EMPTY_EXPORT)));
    return !ready.includes(false);
  });
}

/** A request of nothing, which an OTLP receiver answers 200. */
export const EMPTY_EXPORT = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };
