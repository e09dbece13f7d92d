import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import Type from 'typebox';
import { bodyBudget } from '../../../src/agent/request-body.ts';
import { GLOBAL, resolveScrapeConfigs, SCRAPE_CONFIGS } from '../../../src/agent/scrape/config.ts';
import type { ScrapeJob } from '../../../src/agent/scrape/job.ts';
import { startScraper, type Scraper, type ScraperDeps } from '../../../src/agent/scrape/scraper.ts';
import { parseConfig } from '../../../src/base/config.ts';
import { LIMITS } from '../../../src/base/limits.ts';
import { ADMIT_ALL } from '../../../src/model/admission.ts';
import type { Appended, Batch, Metadata, RejectReason, Rejection } from '../../../src/model/batch.ts';
import { histogramAt, isHistogramAt, type NativeHistogram } from '../../../src/model/histogram.ts';
import { labelsKey, labelsRecord, type Labels } from '../../../src/model/labels.ts';
import { isStaleAt } from '../../../src/model/series.ts';

export const STALE = 'stale';

/** A sample as it was stored. */
export interface Row {
  readonly name: string;
  /** Without the name. */
  readonly labels: Readonly<Record<string, string>>;
  readonly timeMs: number;
  readonly value: number | typeof STALE | NativeHistogram;
}

/** Stores what is scraped, with the row rules of the store for samples that are set. */
export interface Memory {
  readonly deps: ScraperDeps;
  readonly rows: Row[];
  readonly batches: Batch[];
  readonly metadata: Metadata[];
  /** Calls of the counters and of `onStreams`, as text. */
  readonly calls: string[];
  /** Log lines of warnings and errors. */
  readonly log: string[];
  /** While set, every append rejects with it. */
  failure: Error | undefined;
  /** The values of a metric so far, in order. */
  values(name: string): Row['value'][];
}

export function memory(deps: Partial<ScraperDeps> = {}): Memory {
  const last = new Map<string, { timeMs: number; value: Row['value'] }>();
  const log: string[] = [];
  const all: Memory = {
    deps: {
      append: async (batch) => {
        if (all.failure !== undefined) throw all.failure;
        all.batches.push(batch);
        all.metadata.push(...batch.metadata);
        return appendRows(batch, last, all.rows);
      },
      admission: ADMIT_ALL,
      onStreams: (signal, streams) => all.calls.push(`${signal} ${JSON.stringify(streams)}`),
      domain: 'eu',
      domainLabel: 'domain',
      now: Date.now,
      counters: {
        answered: (receiver, signal, status) => all.calls.push(`answered ${receiver} ${signal} ${status}`),
        accepted: (receiver, signal, count) => all.calls.push(`accepted ${receiver} ${signal} ${count}`),
        rejected: (receiver, signal, reason, count) =>
          all.calls.push(`rejected ${receiver} ${signal} ${reason} ${count}`),
      },
      log: pino({ level: 'warn' }, { write: (line: string) => void log.push(line) }),
      budget: bodyBudget(LIMITS.bodyBytesAtOnce),
      ...deps,
    },
    rows: [],
    batches: [],
    metadata: [],
    calls: [],
    log,
    failure: undefined,
    values: (name) => all.rows.filter((row) => row.name === name).map(({ value }) => value),
  };
  return all;
}

function appendRows(batch: Batch, last: Map<string, { timeMs: number; value: Row['value'] }>, rows: Row[]): Appended {
  const rejected = new Map<RejectReason, Rejection>();
  let stored = 0;
  let repeated = 0;
  for (let i = 0; i < batch.times.length; i++) {
    const { labels } = batch.series[batch.seriesOf[i]!]!;
    const timeMs = batch.times[i]!;
    const value = valueAt(batch, i);
    const before = last.get(labelsKey(labels));
    if (before !== undefined && timeMs <= before.timeMs) {
      if (timeMs === before.timeMs && Object.is(value, before.value)) {
        repeated++;
        continue;
      }
      const reason = timeMs === before.timeMs ? 'duplicate_timestamp' : 'out_of_order';
      const { count = 0, firstRow = i } = rejected.get(reason) ?? {};
      rejected.set(reason, { count: count + 1, firstRow });
      continue;
    }
    last.set(labelsKey(labels), { timeMs, value });
    rows.push({ ...named(labels), timeMs, value });
    stored++;
  }
  return { stored, repeated, rejected, histograms: 0, exemplars: batch.exemplars.length };
}

function valueAt(batch: Batch, row: number): Row['value'] {
  if (isHistogramAt(batch.histograms, row)) return histogramAt(batch.histograms, row);
  return isStaleAt(batch.values, row) ? STALE : batch.values[row]!;
}

function named(labels: Labels): { name: string; labels: Record<string, string> } {
  const { __name__: name = '', ...rest } = labelsRecord(labels);
  return { name, labels: rest };
}

const CONFIG = Type.Object(
  { global: Type.Optional(GLOBAL), scrape_configs: Type.Optional(SCRAPE_CONFIGS) },
  { additionalProperties: false },
);

/** The jobs of a configuration file, `text` being its YAML. */
export function jobsOf(text: string, path = '/etc/comity/agent.yaml'): ScrapeJob[] {
  return resolveScrapeConfigs(parseConfig(text, CONFIG, path), path);
}

/** A target that answers with what `answer` says. */
export interface Exporter {
  /** `host:port` */
  readonly address: string;
  /** Requests so far. */
  readonly requests: IncomingMessage[];
  answer: string | ((request: IncomingMessage, response: ServerResponse) => void);
  close(): Promise<void>;
}

export async function startExporter(answer: Exporter['answer']): Promise<Exporter> {
  const server = createServer((request, response) => {
    exporter.requests.push(request);
    if (typeof exporter.answer === 'function') exporter.answer(request, response);
    else response.setHeader('content-type', 'text/plain; version=0.0.4').end(exporter.answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const exporter: Exporter = {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    answer,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  return exporter;
}

/** Waits until `ready` holds. */
export async function until(ready: () => boolean, what: string, withinMs = 10_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!ready()) {
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const closers: (() => Promise<void>)[] = [];

/** Ends what a test started. */
export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

/** Something that ends with the test. */
export function closing<T extends { close(): Promise<void> }>(one: T): T {
  closers.push(() => one.close());
  return one;
}

/** A scraper of one exporter, 200 ms between scrapes; `fields` are lines of the job. */
export async function scraping(
  answer: Exporter['answer'],
  fields = '',
  deps: Partial<ScraperDeps> = {},
): Promise<{ exporter: Exporter; store: Memory; scraper: Scraper }> {
  const exporter = closing(await startExporter(answer));
  const store = memory(deps);
  const scraper = await startScraper(
    jobsOf(`
scrape_configs:
  - job_name: shop
    scrape_interval: 200ms
    static_configs: [{targets: ['${exporter.address}'], labels: {zone: a}}]
${fields.replace(/^/gm, '    ')}`),
    store.deps,
  );
  closing(scraper);
  return { exporter, store, scraper };
}

/** Scrapes so far. */
export const scrapes = (store: Memory): number => store.values('up').length;
