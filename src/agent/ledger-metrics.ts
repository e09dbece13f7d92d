import type { Logger } from 'pino';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Ledger, LedgerEvents } from '../ledger/ledger.ts';

/** How a ledger does. It is opened before the agent's other metrics are there, and `register` puts these among them. */
export interface LedgerMetrics extends LedgerEvents {
  watch(ledger: Pick<Ledger, 'head'>): void;
  /** What became of sending a checkpoint to a witness. */
  pushed(witness: string, outcome: 'cosigned' | 'failed'): void;
  register(registry: Registry): void;
}

/** Answers wait for a commit: from what a disk with a cache of its own takes to what nobody wants to wait. */
const SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2];
const LEAVES = [1, 2, 5, 10, 20, 50, 100, 500, 1_000];

/** A full disk fails every answer. One line in so many ms says so. */
const FAILURE_LOG_MS = 10_000;

export function ledgerMetrics(log: Logger): LedgerMetrics {
  const registers: Registry[] = [];
  const seconds = new Histogram({
    name: 'comity_ledger_commit_seconds',
    help: 'Time that a commit of the ledger took, flushing to the disk included.',
    buckets: SECONDS,
    registers,
  });
  const leaves = new Histogram({
    name: 'comity_ledger_commit_leaves',
    help: 'Leaves that shared a commit of the ledger.',
    buckets: LEAVES,
    registers,
  });
  const failures = new Counter({
    name: 'comity_ledger_failures_total',
    help: 'Commits of the ledger that failed. No answer leaves without its record.',
    registers,
  });
  const pushes = new Counter({
    name: 'comity_ledger_witness_pushes_total',
    help: 'Checkpoints sent to a witness, by what became of them.',
    labelNames: ['witness', 'outcome'],
    registers,
  });
  let watched: Pick<Ledger, 'head'> | undefined;
  const size: Gauge = new Gauge({
    name: 'comity_ledger_size',
    help: 'Leaves in the ledger.',
    registers,
    collect: () => size.set(watched?.head().size ?? 0),
  });
  let loggedAt = -Infinity;
  return {
    committed(count, took) {
      seconds.observe(took);
      leaves.observe(count);
    },
    failed(error) {
      failures.inc();
      if (performance.now() - loggedAt < FAILURE_LOG_MS) return;
      loggedAt = performance.now();
      log.error({ err: error }, 'answers could not be recorded, so they did not leave');
    },
    watch: (ledger) => (watched = ledger),
    pushed: (witness, outcome) => pushes.inc({ witness, outcome }),
    register(registry) {
      for (const metric of [seconds, leaves, failures, pushes, size]) registry.registerMetric(metric);
    },
  };
}
