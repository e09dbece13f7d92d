import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { builtWithGo } from '../go-program.ts';
import { outputOf } from '../programs.ts';
import { answers, startTied, type TiedProgram } from './tied-program.ts';

/** An OpenTelemetry Collector: `COMITY_COLLECTOR`, else `otelcol-contrib` or `otelcol` on the PATH; undefined without. */
export async function findCollector(): Promise<string | undefined> {
  const named = process.env['COMITY_COLLECTOR'] ?? '';
  if (named !== '') {
    if ((await outputOf(named, '--version')) !== undefined) return named;
    throw new Error(`COMITY_COLLECTOR names ${named}, which is no program that tells its version`);
  }
  for (const program of ['otelcol-contrib', 'otelcol']) {
    if ((await outputOf(program, '--version')) !== undefined) return program;
  }
  return undefined;
}

/** The same, or one that Go builds; undefined, with a warning, where it cannot. */
export async function findOrBuildCollector(): Promise<string | undefined> {
  const found = await findCollector();
  if (found !== undefined) return found;
  try {
    return await builtWithGo({
      name: 'the Collector 0.120',
      folder: join(import.meta.dirname, 'collector'),
      build: ['-ldflags', '-s -w', '.'],
      instead: 'without them name a Collector in COMITY_COLLECTOR',
    });
  } catch (error) {
    console.warn(`skipped: a real Collector. ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** What makes its remote write send version 2.0, where it can. */
export const REMOTE_WRITE_2_GATE = 'exporter.prometheusremotewritexporter.enableSendingRW2';

export async function knowsRemoteWrite2(collector: string): Promise<boolean> {
  return (await outputOf(collector, 'featuregate'))?.includes(REMOTE_WRITE_2_GATE) ?? false;
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
