import { Counter, Gauge, Registry } from 'prom-client';
import type { AdmitCount } from '../policy/admit-counts.ts';
import type { ShardStats } from '../shard/shard.ts';
import { borderMetrics, type BorderMetrics } from './border-metrics.ts';
import type { AgentCoverage } from './coverage.ts';
import { dropMetrics } from './drop-metrics.ts';
import type { JoinCounts } from './join-series.ts';
import type { LedgerMetrics } from './ledger-metrics.ts';
import type { Load, LoadEvents } from './load-gate.ts';
import type { LivePolicy } from './live-policy.ts';
import { loadMetrics } from './load-metrics.ts';
import { policyMetrics } from './policy-metrics.ts';
import type { ReceiverCounters } from './receiver.ts';

/** The agent's own metrics, for the domain's operators. They stay in the domain like any other telemetry. */
export interface AgentMetrics extends BorderMetrics {
  readonly receivers: ReceiverCounters;
  readonly load: LoadEvents;
  text(): Promise<string>;
  readonly contentType: string;
}

/** Where the figures come from that are looked up when metrics are asked for. */
export interface MetricsSources {
  store(): ShardStats;
  shards(): number;
  /** Live memory of all threads. */
  memoryBytes(): number;
  readonly coverage: Pick<AgentCoverage, 'counts' | 'remembered' | 'settlement'>;
  admitted(): readonly Readonly<AdmitCount>[];
  memoryRefusals(): number;
  bodyBytes(): number;
  load(): Load;
  readonly ledger: Pick<LedgerMetrics, 'register'>;
  readonly policy: LivePolicy;
  joined(): JoinCounts;
}

export function agentMetrics({
  store,
  shards,
  memoryBytes,
  coverage,
  admitted,
  memoryRefusals,
  bodyBytes,
  load,
  ledger,
  policy,
  joined,
}: MetricsSources): AgentMetrics {
  const registry = new Registry();
  const registers = [registry];
  ledger.register(registry);
  policyMetrics(registry, policy);
  dropMetrics(registry, () => store().inputs, joined);
  const requests = new Counter({
    name: 'comity_agent_requests_total',
    help: 'Requests and scrapes answered, by receiver, signal and status: of HTTP the code, of gRPC its name.',
    labelNames: ['receiver', 'signal', 'status'],
    registers,
  });
  const accepted = new Counter({
    name: 'comity_agent_accepted_total',
    help: 'Data points and spans stored, or known already.',
    labelNames: ['receiver', 'signal'],
    registers,
  });
  const rejected = new Counter({
    name: 'comity_agent_rejected_total',
    help: 'Data points, spans and exemplars left out, by reason.',
    labelNames: ['receiver', 'signal', 'reason'],
    registers,
  });
  gauge('comity_store_series', 'Series held.', () => store().series);
  gauge('comity_store_samples', 'Samples held.', () => store().samples);
  gauge('comity_store_bytes', 'Raw bytes held on disk, behind the border.', () => store().bytes);
  gauge('comity_store_quarantined', 'Damaged rows set aside.', () => store().quarantined);
  gauge('comity_store_shards', 'Parts of the store.', shards);
  gauge('comity_memory_bytes', 'Live memory of all threads: what the limit on memory is compared with.', memoryBytes);
  gauge(
    'comity_streams_expected',
    'Producers of telemetry that should be delivering.',
    () => coverage.counts().expected,
  );
  gauge('comity_streams_observed', 'Producers of telemetry that are delivering.', () => coverage.counts().observed);
  gauge(
    'comity_streams_ended',
    'Producers that are remembered and of which nothing is awaited any more.',
    () => coverage.remembered().ended,
  );
  gauge(
    'comity_streams_gaps',
    'Times in the past at which samples of a producer are missing, over all that are remembered.',
    () => coverage.remembered().gaps,
  );
  gauge(
    'comity_streams_untracked',
    'Deliveries since the start of producers past the limit, which the other counts leave out.',
    () => coverage.counts().untracked,
  );
  gauge(
    'comity_agent_settled_until_seconds',
    'Before this Unix time no more samples are awaited: what a hub that asks now is told. 0 where no producer is known.',
    () => Math.max(coverage.counts().settledUntilMs, coverage.settlement.toldMs, 0) / 1000,
  );
  const late: Counter = new Counter({
    name: 'comity_agent_late_intervals_total',
    help: 'Commits and deletions that changed samples before a time that a hub was told is settled.',
    registers,
    collect: () => {
      late.reset();
      late.inc(coverage.settlement.changes);
    },
  });

  gauge('comity_ingest_body_bytes', 'Bytes of request bodies held at this moment.', bodyBytes);
  const refusals: Counter = new Counter({
    name: 'comity_ingest_memory_refusals_total',
    help: 'Batches turned away because memory was short.',
    registers,
    collect: () => {
      refusals.reset();
      refusals.inc(memoryRefusals());
    },
  });
  const admissions: Counter = new Counter({
    name: 'comity_admission_total',
    help: 'Values of attributes and labels by what became of them: kept, pseudonym, other or dropped.',
    labelNames: ['place', 'rule', 'reason', 'action'],
    registers,
    collect: () => {
      admissions.reset();
      for (const { place, rule, reason, action, count } of admitted()) {
        admissions.inc({ place, rule, reason, action }, count);
      }
    },
  });

  function gauge(name: string, help: string, read: () => number): void {
    const metric: Gauge = new Gauge({ name, help, registers, collect: () => metric.set(read()) });
  }

  return {
    ...borderMetrics(registry),
    receivers: {
      answered: (receiver, signal, status) => requests.inc({ receiver, signal, status }),
      accepted: (receiver, signal, count) => accepted.inc({ receiver, signal }, count),
      rejected: (receiver, signal, reason, count) => rejected.inc({ receiver, signal, reason }, count),
    },
    load: loadMetrics(registry, load),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
