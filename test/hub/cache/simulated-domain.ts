import type { Border } from '../../../src/border/border.ts';
import { coverageRuns } from '../../../src/coverage/coverage-runs.ts';
import type { SettlementState } from '../../../src/coverage/settlement-db.ts';
import { openSettlement, type Settlement } from '../../../src/coverage/settlement.ts';
import type { LateEntry } from '../../../src/coverage/late-intervals.ts';
import { borderTransport } from '../../../src/federationtest/border-transport.ts';
import type { Replica } from '../../../src/hub/registry.ts';
import type { Transport } from '../../../src/hub/transport.ts';
import { batchBuilder, type BatchBuilder } from '../../../src/model/batch-builder.ts';
import type { NativeHistogram } from '../../../src/model/histogram.ts';
import { labelsOf } from '../../../src/model/labels.ts';
import { decodeQueryRequest, type FragmentQuery } from '../../../src/plan/frames/query-codec.ts';
import type { TimeRange } from '../../../src/plan/read-range.ts';
import { parsePolicy, type Policy } from '../../../src/policy/document.ts';
import { openScriptStore } from '../../../src/promqltest/database.ts';
import { openQueries } from '../../../src/shard/queries.ts';
import { playedBook, playedLedger } from '../played-ledger.ts';

/** Senders deliver so often. */
export const TICK_MS = 15_000;

/** As an agent's. */
const SETTLE_LIMIT_MS = 120_000;

/** A sender, and what it did not deliver. */
export interface SimulatedStream {
  readonly labels: Readonly<Record<string, string>>;
  /** Delivers nothing until it says so. */
  isPaused: boolean;
  /** Times of ticks that it was paused for. */
  missed: number[];
  lastMs: number;
}

/** A domain in this process whose clock is the caller's, with a real store, border, and record of late changes. */
export interface SimulatedDomain {
  readonly name: string;
  readonly way: Pick<Replica, 'url' | 'transport' | 'heartbeat'>;
  readonly streams: readonly SimulatedStream[];
  /** What hubs asked, newest last. */
  readonly asked: FragmentQuery[];
  /** Stores samples as an agent does: what lies behind a watermark that was told is written down as late. */
  append(fill: (builder: BatchBuilder) => void, range: TimeRange): Promise<void>;
  /** Hides the samples of a series in a range. */
  delete(labels: Readonly<Record<string, string>>, range: TimeRange): Promise<void>;
  /** From now on there is nothing before this. */
  retain(fromMs: number): Promise<void>;
  /** The process comes back; what it knew of late changes may be lost. */
  restart(loses: boolean): void;
  setPolicy(metrics: readonly object[]): void;
  /** Fails all requests, or none. */
  silent: boolean;
  /** Tells no late changes, as an agent that asks another server. */
  tellsLate: boolean;
  nowMs: number;
  close(): Promise<void>;
}

/** A policy that lets everything out. */
const OPEN = [{ match: '*', class: 'open' }];

export async function openSimulatedDomain(name: string, nowMs: number, streams: number): Promise<SimulatedDomain> {
  const policyText = (metrics: readonly object[]): string =>
    JSON.stringify({ version: 1, domain: name, labels: { permit: ['*'] }, metrics, default_class: 'sealed' });
  const store = await openScriptStore(0, {
    policies: [
      { layers: [{ layer: 'local', source: 'test', text: policyText(OPEN) }], domain: name, domainLabel: 'domain' },
    ],
  });
  const queries = openQueries(store.shards);
  let policy: Policy = parsePolicy(policyText(OPEN), 'test', name, 'domain');
  const db = memoryDb();
  let settlement: Settlement = openSettlement(db, nowMs, throwIt);
  let heldFromMs = 0;

  const border: Border = {
    policy: () => policy,
    ...playedBook(playedLedger(name)),
    data: queries,
    status: () => ({
      domain: name,
      policyDigest: policy.digest,
      expectedStreams: domain.streams.length,
      observedStreams: domain.streams.filter(({ isPaused }) => !isPaused).length,
      settledUntilMs: settlement.tell(settledUntil(domain)),
      heldFromMs,
      rawBytesHeld: 0,
      releasedBytes: 0,
      gaps: [],
      bundleDigest: '',
      bundleVersion: 0,
      policyState: 'in force',
    }),
    coverage: async ({ grid, reads }) =>
      coverageRuns(grid, [
        {
          reads,
          pasts: domain.streams.map(({ missed }) => ({
            expected: [{ fromMs: -1e15, toMs: 1e15 }],
            missing: apart(missed.map((timeMs) => ({ fromMs: timeMs - TICK_MS, toMs: timeMs }))),
          })),
        },
      ]),
    late({ epoch, sequence }) {
      if (!domain.tellsLate) return undefined;
      const { intervals, ...told } = settlement.since(epoch, sequence);
      return { ...told, intervals: intervals.map(({ fromMs, toMs }) => ({ fromMs, toMs })) };
    },
  };
  const inner = borderTransport(border, () => domain.silent);
  const transport: Transport = {
    ...inner,
    async send(endpoint, body, context) {
      if (endpoint === 'query') domain.asked.push(decodeQueryRequest(body));
      return inner.send(endpoint, body, context);
    },
  };

  const domain: SimulatedDomain = {
    name,
    way: { url: `simulated:${name}`, transport, heartbeat: transport },
    streams: Array.from({ length: streams }, (_, i) => ({
      labels: { domain: name, job: 'api', instance: `${name}-${i}` },
      isPaused: false,
      missed: [],
      lastMs: nowMs,
    })),
    asked: [],
    silent: false,
    tellsLate: true,
    nowMs,
    async append(fill, range) {
      const change = settlement.begin(range);
      const builder = batchBuilder();
      fill(builder);
      await store.append(builder.build());
      const late = { fromMs: range.fromMs, toMs: Math.min(range.toMs, change.toldMs - 1) };
      change.made(late.fromMs <= late.toMs ? late : undefined);
    },
    async delete(labels, range) {
      const change = settlement.begin(range);
      const matchers = Object.entries(labels).map(([label, value]) => ({ name: label, op: '=' as const, value }));
      await Promise.all(store.shards.map((shard) => shard.delete(matchers, range.fromMs, range.toMs)));
      const late = { fromMs: range.fromMs, toMs: Math.min(range.toMs, change.toldMs - 1) };
      change.made(late.fromMs <= late.toMs ? late : undefined);
    },
    async retain(fromMs) {
      heldFromMs = fromMs;
      await Promise.all(store.shards.map((shard) => shard.delete([], -1e15, fromMs - 1)));
    },
    restart(loses) {
      if (loses) db.clear();
      settlement = openSettlement(db, domain.nowMs, throwIt);
    },
    setPolicy(metrics) {
      policy = parsePolicy(policyText(metrics), 'test', name, 'domain');
    },
    async close() {
      await queries.close();
      await store.close();
    },
  };
  return domain;
}

/** As slo rules have it: the earliest last sample of whoever lives, and no further back than a limit. */
function settledUntil({ streams, nowMs }: SimulatedDomain): number {
  return Math.max(nowMs - SETTLE_LIMIT_MS, Math.min(nowMs, ...streams.map(({ lastMs }) => lastMs)));
}

/** Ranges in order of time, with those that touch as one. */
function apart(ranges: readonly TimeRange[]): readonly TimeRange[] {
  const out: TimeRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = out.at(-1);
    if (last !== undefined && range.fromMs <= last.toMs) out[out.length - 1] = { ...last, toMs: range.toMs };
    else out.push(range);
  }
  return out;
}

function throwIt(error: unknown): void {
  throw error;
}

function memoryDb(): Parameters<typeof openSettlement>[0] & { clear(): void } {
  let state: SettlementState | undefined;
  let entries = new Map<number, LateEntry>();
  return {
    load() {
      const sorted = [...entries.values()].sort((a, b) => a.fromMs - b.fromMs);
      return state === undefined ? undefined : { state, entries: sorted };
    },
    save(next, gone, added) {
      state = next;
      for (const { fromMs } of gone) entries.delete(fromMs);
      for (const entry of added) entries.set(entry.fromMs, entry);
    },
    clear() {
      state = undefined;
      entries = new Map();
    },
  };
}

/** What a stream's series say at a time, the same whenever they are asked. */
export function fillSamples(builder: BatchBuilder, stream: SimulatedStream, timeMs: number, nudge = 0): void {
  const { labels } = stream;
  const ticks = Math.floor(timeMs / TICK_MS);
  const base = hash(labels['instance']!);
  const noise = ((ticks * 2654435761 + base) >>> 8) % 100;
  const series = (name: string, more: Readonly<Record<string, string>> = {}): number =>
    builder.seriesOf(labelsOf({ ...labels, ...more, __name__: name }));
  const counter = (ticks % 200) * 10 + (noise % 10) + nudge;
  builder.sample(series('requests_total', { code: '200' }), timeMs, counter);
  if (noise % 5 !== 0) builder.sample(series('requests_total', { code: '500' }), timeMs, counter / 7);
  builder.sample(series('temperature'), timeMs, noise / 3 + nudge);
  builder.sample(series('odd_counter'), timeMs, counter);
  for (const [i, le] of ['0.1', '1', '+Inf'].entries()) {
    builder.sample(series('took_bucket', { le }), timeMs, counter * (i + 1));
  }
  // Comes and goes.
  if (Math.floor(ticks / 20 + base) % 3 === 0) builder.sample(series('sometimes'), timeMs, noise);
  builder.histogram(series('native'), timeMs, nativeAt(ticks, noise, base));
  if (Math.floor(ticks / 15) % 4 === 0 && noise % 4 === 0) {
    builder.histogram(series('mixed'), timeMs, nativeAt(ticks, noise, base));
  } else builder.sample(series('mixed'), timeMs, noise);
}

function nativeAt(ticks: number, noise: number, base: number): NativeHistogram {
  const schema = Math.floor(ticks / 50 + base) % 2;
  const positive = Float64Array.of(1 + (ticks % 200), 2 + (ticks % 200), 1 + (noise % 3));
  const zeroCount = ticks % 200;
  return {
    layout: {
      schema,
      zeroThreshold: 0.001,
      positive: Int32Array.of(0, 1, 4 + (Math.floor(ticks / 30) % 3)),
      negative: new Int32Array(0),
      bounds: new Float64Array(0),
    },
    hint: 0,
    count: positive.reduce((sum, one) => sum + one, zeroCount),
    sum: noise + (ticks % 200),
    zeroCount,
    positive,
    negative: new Float64Array(0),
  };
}

function hash(text: string): number {
  let value = 7;
  for (const char of text) value = (value * 31 + char.charCodeAt(0)) >>> 0;
  return value % 1000;
}
