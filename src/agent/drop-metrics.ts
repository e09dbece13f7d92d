import { Counter, Gauge, type Registry } from 'prom-client';
import type { JoinCounts } from './join-series.ts';

/** What `drop` rules come to. */
export function dropMetrics(registry: Registry, inputs: () => number, joined: () => JoinCounts): void {
  const registers = [registry];
  const known: Gauge = new Gauge({
    name: 'comity_drop_inputs',
    help: 'Series of which only the last sample is kept, since they are joined into others.',
    registers,
    collect: () => known.set(inputs()),
  });
  const samples: Counter = new Counter({
    name: 'comity_drop_samples_total',
    help: 'Samples received of series that drop rules are about, by what was decided: joined, or why kept apart.',
    labelNames: ['decision'],
    registers,
    collect: () => {
      samples.reset();
      for (const [decision, count] of joined()) samples.inc({ decision }, count);
    },
  });
}
