import { Counter, Gauge, Registry } from 'prom-client';
import type { StreamCounts } from '../coverage/streams.ts';
import type { ReleaseKind } from '../border/released.ts';
import type { StoreStats } from '../store/store.ts';
import type { OtlpCounters } from './otlp-receiver.ts';

/** The agent's own metrics, for the domain's operators. They stay in the domain like any other telemetry. */
export interface AgentMetrics {
  readonly otlp: OtlpCounters;
  released(kind: ReleaseKind, bytes: number): void;
  /** Bytes that went over the border since the agent started. */
  releasedBytes(): number;
  text(): Promise<string>;
  readonly contentType: string;
}

export function agentMetrics(store: () => StoreStats, streams: () => StreamCounts): AgentMetrics {
  const registry = new Registry();
  const registers = [registry];
  const requests = new Counter({
    name: 'comity_agent_otlp_requests_total',
    help: 'OTLP requests answered, by signal and HTTP status.',
    labelNames: ['signal', 'status'],
    registers,
  });
  const accepted = new Counter({
    name: 'comity_agent_accepted_total',
    help: 'Data points and spans stored.',
    labelNames: ['signal'],
    registers,
  });
  const rejected = new Counter({
    name: 'comity_agent_rejected_total',
    help: 'Data points, spans or rows left out, by reason.',
    labelNames: ['signal', 'reason'],
    registers,
  });
  const released = new Counter({
    name: 'comity_border_released_bytes_total',
    help: 'Bytes that left the domain, as sent, by kind of answer.',
    labelNames: ['kind'],
    registers,
  });
  gauge('comity_store_series', 'Series held.', () => store().series);
  gauge('comity_store_samples', 'Samples held.', () => store().samples);
  gauge('comity_store_bytes', 'Raw bytes held on disk, behind the border.', () => store().bytes);
  gauge('comity_store_quarantined', 'Damaged rows set aside.', () => store().quarantined);
  gauge('comity_streams_expected', 'Producers of telemetry that should be delivering.', () => streams().expected);
  gauge('comity_streams_observed', 'Producers of telemetry that are delivering.', () => streams().observed);
  gauge(
    'comity_streams_untracked',
    'Deliveries since the start of producers past the limit, which the other counts leave out.',
    () => streams().untracked,
  );

  function gauge(name: string, help: string, read: () => number): void {
    const metric: Gauge = new Gauge({ name, help, registers, collect: () => metric.set(read()) });
  }

  let total = 0;
  return {
    otlp: {
      answered: (signal, status) => requests.inc({ signal, status: String(status) }),
      accepted: (signal, count) => accepted.inc({ signal }, count),
      rejected: (signal, reason, count) => rejected.inc({ signal, reason }, count),
    },
    released(kind, bytes) {
      total += bytes;
      released.inc({ kind }, bytes);
    },
    releasedBytes: () => total,
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
