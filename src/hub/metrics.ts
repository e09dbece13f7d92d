import { Counter, Gauge, Histogram, Registry as MetricsRegistry } from 'prom-client';
import type { Registry } from './registry.ts';

/** The hub's own metrics. */
export interface HubMetrics {
  query(outcome: string, seconds: number): void;
  text(): Promise<string>;
  readonly contentType: string;
}

export function hubMetrics(registry: Registry): HubMetrics {
  const metrics = new MetricsRegistry();
  const registers = [metrics];
  const queries = new Counter({
    name: 'comity_hub_queries_total',
    help: 'Queries by how they ended: complete, partial, or the code of an error.',
    labelNames: ['outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'comity_hub_query_duration_seconds',
    help: 'Time from a query’s arrival to its answer.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  perDomain('comity_hub_domain_up', 'Whether the domain’s agent answered last time.', (domain) =>
    Number(domain.reachable),
  );
  perDomain(
    'comity_hub_domain_streams_expected',
    'Streams that the domain owes.',
    (domain) => domain.lastStatus?.expectedStreams ?? 0,
  );
  perDomain('comity_hub_domain_streams_observed', 'Streams that the domain delivers.', (domain) =>
    domain.reachable ? (domain.lastStatus?.observedStreams ?? 0) : 0,
  );
  perDomain(
    'comity_hub_domain_received_bytes',
    'Bytes received from the domain, as sent.',
    (domain) => domain.receivedBytes,
  );

  function perDomain(name: string, help: string, read: (domain: Registry[number]) => number): void {
    const gauge: Gauge<'domain'> = new Gauge({
      name,
      help,
      labelNames: ['domain'],
      registers,
      collect: () => registry.forEach((domain) => gauge.set({ domain: domain.config.name }, read(domain))),
    });
  }

  return {
    query(outcome, duration) {
      queries.inc({ outcome });
      seconds.observe(duration);
    },
    text: () => metrics.metrics(),
    contentType: metrics.contentType,
  };
}
