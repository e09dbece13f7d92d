import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Load, LoadEvents } from './load-gate.ts';
import { SHED_REASONS } from './shed-error.ts';

/** The metrics of what hubs ask at once, for whoever sets `limits.federation`. */
export function loadMetrics(registry: Registry, load: () => Load): LoadEvents {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number): void => {
    const metric: Gauge = new Gauge({ name, help, registers, collect: () => metric.set(read()) });
  };
  gauge('comity_federation_running', "Hubs' queries that are worked on.", () => load().running);
  gauge('comity_federation_queued', "Hubs' queries that wait for their turn.", () => load().queued);
  gauge('comity_federation_cost', 'Samples and cells that the running ones are estimated to take.', () => load().cost);
  gauge('comity_federation_answer_bytes', 'Bytes of answers that are being made or sent.', () => load().bytes);
  const shed = new Counter({
    name: 'comity_federation_shed_total',
    help: "Hubs' queries turned away, by reason: too_heavy on their own, queue_full, queue_time, deadline.",
    labelNames: ['reason'],
    registers,
  });
  for (const reason of SHED_REASONS) shed.inc({ reason }, 0);
  const waits = new Histogram({
    name: 'comity_federation_wait_seconds',
    help: "How long hubs' queries waited for their turn.",
    buckets: [0.001, 0.01, 0.1, 0.5, 1, 2, 5, 10, 30],
    registers,
  });
  const cost = new Counter({
    name: 'comity_federation_cost_total',
    help: "Samples and cells that hubs' queries have taken.",
    registers,
  });
  const ratios = new Histogram({
    name: 'comity_federation_cost_ratio',
    help: 'What a query has taken, divided by what it was estimated to take.',
    buckets: [0.1, 0.25, 0.5, 0.8, 1, 1.25, 2, 4, 10],
    registers,
  });
  return {
    admitted: (waitedMs) => waits.observe(waitedMs / 1_000),
    shed: (reason) => shed.inc({ reason }),
    done(estimated, taken) {
      cost.inc(taken);
      if (estimated > 0) ratios.observe(taken / estimated);
    },
  };
}
