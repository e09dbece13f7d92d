import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CUSTOM_BUCKETS, type NativeHistogram } from '../../src/model/histogram.ts';
import { labelsFrom, labelsKey } from '../../src/model/labels.ts';
import type { ParseOptions } from '../../src/wire/scrape/exposition.ts';
import { findOracle, type Oracle, startOracle } from '../oracle/oracle.ts';
import { randomFrom } from '../random.ts';
import { delimited, randomFamilies } from './scrape-families.ts';
import { randomText } from './scrape-lines.ts';
import { NASTY_OPEN_METRICS, NASTY_TEXT } from './scrape-nasty.ts';
import { expose, OPEN_METRICS, PROTOBUF, TEXT } from './scrape-rows.ts';

const program = await findOracle();
const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
/** Random bodies of each format. */
const RANDOM_BODIES = 60;
const INTERVAL_S = 5;

/** The ways of scraping that are compared, as Prometheus and the parser are told them. */
const JOBS: Record<string, ParseOptions> = {
  native: { keepClassic: false, toCustomBuckets: false },
  classic: { keepClassic: false, toCustomBuckets: false, ignoreNative: true },
  both: { keepClassic: true, toCustomBuckets: false },
  converted: { keepClassic: false, toCustomBuckets: true },
  everything: { keepClassic: true, toCustomBuckets: true },
};

interface Target {
  readonly body: Buffer;
  readonly contentType: string;
  readonly job: string;
}

function config(targets: readonly Target[], address: string): string {
  const scrapes = Object.entries(JOBS).map(([job, { keepClassic, toCustomBuckets, ignoreNative }]) => ({
    job_name: job,
    scrape_interval: `${INTERVAL_S}s`,
    scrape_timeout: `${INTERVAL_S}s`,
    scrape_native_histograms: ignoreNative !== true,
    always_scrape_classic_histograms: keepClassic,
    convert_classic_histograms_to_nhcb: toCustomBuckets,
    static_configs: targets.flatMap((target, i) =>
      target.job === job ? [{ targets: [address], labels: { target: String(i), __metrics_path__: `/${i}` } }] : [],
    ),
  }));
  return JSON.stringify({ storage: { tsdb: { out_of_order_time_window: '50y' } }, scrape_configs: scrapes });
}

/** What is stored of a target: series to samples, `value` or `value @time` where the target says the time. */
type Stored = Map<string, unknown[]>;

interface Outcome {
  readonly health: string;
  readonly stored: Stored;
}

/** Prometheus stores nothing that is older than its window or more than ten minutes ahead. */
const WINDOW_MS = 49 * 365 * 86_400_000;

function parsed({ body, contentType, job }: Target, nowMs: number): Outcome & { times: Map<string, number> } {
  const { rows, error } = expose(body, contentType, JOBS[job]);
  const stored: Stored = new Map();
  const times = new Map<string, number>();
  if (error !== undefined) return { health: 'down', stored, times };
  for (const { labels, value, timeMs } of rows) {
    if (timeMs !== undefined && (timeMs < nowMs - WINDOW_MS || timeMs > nowMs + 600_000)) continue;
    const key = labelsKey(labelsFrom(Object.entries(labels)));
    // A second sample of a series is a duplicate, which is left out.
    if (stored.has(key)) continue;
    stored.set(key, [typeof value === 'number' ? value : shownBuckets(value)]);
    if (timeMs !== undefined) times.set(key, timeMs);
  }
  return { health: 'up', stored, times };
}

/** Count, sum and the buckets with observations as [lower, upper, count], in ascending order: as the API has them. */
function shownBuckets(histogram: NativeHistogram): unknown {
  const { layout, positive, negative } = histogram;
  const bound = (index: number) => 2 ** (index * 2 ** -layout.schema);
  const buckets: [number, number, number][] = [];
  for (const [i, index] of layout.negative.entries()) buckets.unshift([-bound(index), -bound(index - 1), negative[i]!]);
  buckets.push([-layout.zeroThreshold, layout.zeroThreshold, histogram.zeroCount]);
  for (const [i, index] of layout.positive.entries()) {
    const isCustom = layout.schema === CUSTOM_BUCKETS;
    const lower = isCustom ? (layout.bounds[index - 1] ?? -Infinity) : bound(index - 1);
    const upper = isCustom ? (layout.bounds[index] ?? Infinity) : bound(index);
    buckets.push([lower, upper, positive[i]!]);
  }
  return rounded({ count: histogram.count, sum: histogram.sum, buckets: buckets.filter(([, , count]) => count !== 0) });
}

/** With numbers cut to ten digits: bounds are powers that two programs may round differently. */
function rounded(histogram: { count: number; sum: number; buckets: [number, number, number][] }): unknown {
  return {
    count: histogram.count,
    sum: histogram.sum,
    buckets: histogram.buckets.map((bucket) => bucket.map((one) => Number(one.toPrecision(10)))),
  };
}

interface ApiSeries {
  readonly metric: Record<string, string>;
  readonly values?: [number, string][];
  readonly histograms?: [number, { count: string; sum: string; buckets?: [number, string, string, string][] }][];
}

/** A number as the API writes it. */
function numberOf(text: string): number {
  return Number(text.replace('Inf', 'Infinity'));
}

const SELF = /^(up|scrape_\w+)$/;

/** JSON that also tells NaN, infinities and -0 apart. */
function stringOf(value: unknown): string {
  return JSON.stringify(value, (_key, one: unknown) => {
    const isSpecial = typeof one === 'number' && (!Number.isFinite(one) || Object.is(one, -0));
    return isSpecial ? `number ${Object.is(one, -0) ? '-0' : String(one)}` : one;
  });
}

async function get<T>(url: string): Promise<T> {
  const response = await fetch(url);
  const { data } = (await response.json()) as { data: T };
  return data;
}

describe.skipIf(program === undefined)('Prometheus 3.15 scrapes the same bodies', () => {
  const nowMs = Date.now();
  const targets: Target[] = [];
  const random = randomFrom(SEED);
  const jobs = Object.keys(JOBS);
  const add = (body: Buffer, contentType: string, job = random.pick(jobs)) => targets.push({ body, contentType, job });
  for (const text of NASTY_TEXT) add(Buffer.from(text, 'latin1'), TEXT);
  for (const text of NASTY_OPEN_METRICS) add(Buffer.from(text, 'latin1'), OPEN_METRICS);
  for (const type of ['text/html', 'text/plain; x', 'application/openmetrics-text; version=2.0.0', 'Text/PLAIN']) {
    add(Buffer.from('foo 1'), type);
  }
  for (let i = 0; i < RANDOM_BODIES; i++) {
    const badness = i % 2 === 0 ? 0 : 0.03;
    const millis = () => String(nowMs - random.int(0, 5000));
    const seconds = () => String(Math.floor(nowMs / 1000) - random.int(0, 5));
    // Prometheus 3.15 gives a converted text histogram the time of the series after it, so that those have none here.
    const job = random.pick(jobs);
    const isConverted = JOBS[job]!.toCustomBuckets;
    add(randomText(random, false, { badness, time: isConverted ? undefined : millis }), TEXT, job);
    add(randomText(random, true, { badness, time: isConverted ? undefined : seconds }), OPEN_METRICS, job);
    add(delimited(...randomFamilies(random, nowMs)), PROTOBUF);
  }
  const bodies = createServer((request, response) => {
    const target = targets[Number(request.url!.slice(1))]!;
    response.writeHead(200, { 'content-type': target.contentType }).end(target.body);
  });
  let oracle: Oracle;
  const outcomes = new Map<number, Outcome & { times: Map<string, Set<number>> }>();

  beforeAll(async () => {
    console.log(`seed ${SEED}`);
    bodies.listen(0, '127.0.0.1');
    await once(bodies, 'listening');
    oracle = await startOracle({ args: ['--web.enable-lifecycle'] });
    const flags = await get<Record<string, string>>(`${oracle.url}/api/v1/status/flags`);
    await writeFile(flags['config.file']!, config(targets, `127.0.0.1:${(bodies.address() as AddressInfo).port}`));
    const reloaded = await fetch(`${oracle.url}/-/reload`, { method: 'POST' });
    if (!reloaded.ok) throw new Error(`the configuration was not taken: ${await reloaded.text()}`);
    await scrapedOnce();
    await readStored();
  }, 120_000);

  afterAll(async () => {
    await oracle?.close();
    bodies.closeAllConnections();
    bodies.close();
  });

  async function scrapedOnce(): Promise<void> {
    for (const deadline = Date.now() + 60_000; ;) {
      const { activeTargets } = await get<{ activeTargets: { labels: Record<string, string>; health: string }[] }>(
        `${oracle.url}/api/v1/targets?state=active`,
      );
      const known = activeTargets.filter(({ health }) => health !== 'unknown');
      if (known.length === targets.length) {
        for (const { labels, health } of known) {
          outcomes.set(Number(labels['target']), { health, stored: new Map(), times: new Map() });
        }
        return;
      }
      if (Date.now() > deadline) throw new Error(`only ${known.length} of ${targets.length} targets were scraped`);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }

  async function readStored(): Promise<void> {
    for (const job of jobs) {
      const query = encodeURIComponent(`{job="${job}"}[1h]`);
      const { result } = await get<{ result: ApiSeries[] }>(`${oracle.url}/api/v1/query?query=${query}`);
      for (const { metric, values = [], histograms = [] } of result) {
        const { job: _job, instance: _instance, target, ...labels } = metric;
        if (SELF.test(labels['__name__'] ?? '')) continue;
        const { stored, times } = outcomes.get(Number(target))!;
        const key = labelsKey(labelsFrom(Object.entries(labels)));
        // The body is the same at each scrape: its values are stored again and again.
        const shown = [
          ...values.map(([, value]) => numberOf(value)),
          ...histograms.map(([, { count, sum, buckets = [] }]) =>
            rounded({
              count: numberOf(count),
              sum: numberOf(sum),
              buckets: buckets.map(([, ...numbers]) => numbers.map((one) => numberOf(one)) as [number, number, number]),
            }),
          ),
        ];
        const distinct = new Map(
          shown.map((one) => [Object.is(one, -0) ? '-0' : JSON.stringify(one) + String(one), one]),
        );
        stored.set(key, [...distinct.values()]);
        times.set(key, new Set([...values, ...histograms].map(([seconds]) => Math.round(seconds * 1000))));
      }
    }
  }

  function describeTarget({ body, contentType, job }: Target): string {
    const text = contentType === PROTOBUF ? body.toString('hex') : body.toString('latin1');
    return `${job} ${contentType} ${JSON.stringify(text)}`;
  }

  test('accepts and refuses the same ones', () => {
    const want = targets.map((target, i) => [outcomes.get(i)!.health, describeTarget(target)]);
    const got = targets.map((target) => [parsed(target, nowMs).health, describeTarget(target)]);
    expect(got).toEqual(want);
    const ups = want.filter(([health]) => health === 'up').length;
    expect(ups).toBeGreaterThan(targets.length / 4);
    expect(ups).toBeLessThan((targets.length * 3) / 4);
  });

  test('and stores the same samples', () => {
    let samples = 0;
    for (const [i, target] of targets.entries()) {
      const { stored, times } = outcomes.get(i)!;
      const own = parsed(target, nowMs);
      const keys = new Set([...own.stored.keys(), ...stored.keys()]);
      const shown = (one: unknown[] | undefined) => one && stringOf(one);
      const different = [...keys].filter((key) => shown(own.stored.get(key)) !== shown(stored.get(key)));
      const both = different.map((key) => ({ key, own: own.stored.get(key), theirs: stored.get(key) }));
      expect(both, describeTarget(target)).toEqual([]);
      for (const [key, timeMs] of own.times) expect([key, times.get(key)]).toEqual([key, new Set([timeMs])]);
      samples += stored.size;
    }
    expect(samples).toBeGreaterThan(500);
  });
});
