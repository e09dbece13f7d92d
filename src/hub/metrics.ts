import { Counter, Gauge, Histogram, Registry as MetricsRegistry } from 'prom-client';
import type { CacheCounts } from './cache/columns-cache.ts';
import type { BreakerState } from './dispatch/breaker.ts';
import type { DispatchEvents, Domain, Registry, Replica } from './registry.ts';

/** The hub's own metrics. */
export interface HubMetrics {
  query(outcome: string, seconds: number): void;
  /** An answer of the HTTP API. */
  answer(handler: string, status: number): void;
  /** What is counted of the requests to domains. */
  readonly dispatch: Omit<DispatchEvents, 'turned' | 'trusted'>;
  /** Where others put theirs. */
  readonly registered: MetricsRegistry;
  text(): Promise<string>;
  readonly contentType: string;
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10];

/** `registry` and `cache` are read whenever metrics are asked for. */
export function hubMetrics(registry: () => Registry, cache: () => CacheCounts | undefined): HubMetrics {
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
    buckets: SECONDS,
    registers,
  });
  const answers = new Counter({
    name: 'comity_hub_http_requests_total',
    help: 'Requests by path and status; 499 where the client did not wait for the answer.',
    labelNames: ['handler', 'code'],
    registers,
  });
  const requests = new Counter({
    name: 'comity_hub_domain_requests_total',
    help: 'Questions to the domain by how they ended: ok, refused, timeout, unreachable, or canceled by the caller.',
    labelNames: ['domain', 'endpoint', 'outcome'],
    registers,
  });
  const requestSeconds = new Histogram({
    name: 'comity_hub_domain_request_duration_seconds',
    help: 'Time from a question to the domain to its end, waiting in the queue included.',
    labelNames: ['domain'],
    buckets: SECONDS,
    registers,
  });
  const retries = new Counter({
    name: 'comity_hub_domain_retries_total',
    help: 'Questions that were sent again after a failure.',
    labelNames: ['domain'],
    registers,
  });
  const hedges = new Counter({
    name: 'comity_hub_domain_hedges_total',
    help: 'Questions that were sent to a second replica because the first took long.',
    labelNames: ['domain'],
    registers,
  });

  const receipts = new Counter({
    name: 'comity_hub_receipts_total',
    help: 'Answers by whether the receipt of the domain’s ledger held; those whose receipt does not are not used.',
    labelNames: ['domain', 'holds'],
    registers,
  });
  const forks = new Counter({
    name: 'comity_hub_ledger_forks_total',
    help: 'Ledgers that were found to have signed two histories.',
    labelNames: ['domain'],
    registers,
  });
  const dropped = new Counter({
    name: 'comity_hub_ledger_checkpoints_dropped_total',
    help: 'Checkpoints that were forgotten before the agent proved how they belong together.',
    labelNames: ['domain'],
    registers,
  });
  const witnessFaults = new Counter({
    name: 'comity_hub_witness_faults_total',
    help: 'Times that what the hub knows of a ledger could not be written down.',
    registers,
  });

  function perDomain(name: string, help: string, read: (domain: Domain) => number): void {
    const gauge: Gauge<'domain'> = new Gauge({
      name,
      help,
      labelNames: ['domain'],
      registers,
      collect: () => registry().forEach((domain) => gauge.set({ domain: domain.config.name }, read(domain))),
    });
  }
  perDomain('comity_hub_domain_up', 'Whether the domain’s agent answered last time.', ({ reachable }) =>
    Number(reachable),
  );
  perDomain('comity_hub_domain_streams_expected', 'Streams that the domain owes.', ({ lastStatus }) => {
    return lastStatus?.expectedStreams ?? 0;
  });
  perDomain('comity_hub_domain_streams_observed', 'Streams that the domain delivers.', ({ reachable, lastStatus }) =>
    reachable ? (lastStatus?.observedStreams ?? 0) : 0,
  );
  perDomain('comity_hub_domain_received_bytes', 'Bytes received from the domain, as sent.', (domain) => {
    return domain.receivedBytes;
  });
  perDomain('comity_hub_domain_running', 'Requests under way at the domain.', ({ queue }) => queue.running);
  perDomain('comity_hub_domain_queued', 'Requests that wait for the domain.', ({ queue }) => queue.queued);

  function perReplica(name: string, help: string, read: (replica: Replica) => number): void {
    const gauge: Gauge<'domain' | 'replica'> = new Gauge({
      name,
      help,
      labelNames: ['domain', 'replica'],
      registers,
      collect: () => {
        for (const { config, replicas } of registry()) {
          for (const replica of replicas) gauge.set({ domain: config.name, replica: replica.url }, read(replica));
        }
      },
    });
  }
  perReplica('comity_hub_replica_up', 'Whether the agent answered last time.', ({ reachable }) => Number(reachable));
  perReplica(
    'comity_hub_replica_breaker',
    'Whether requests go to the agent: 0 all, 1 one that decides, 2 none.',
    ({ breaker }) => BREAKER_STATES[breaker.state],
  );

  perReplica(
    'comity_hub_ledger_witnessed_entries',
    'Entries up to which the agent’s ledger is known to have only grown.',
    (replica) => {
      return replica.ledger.view().witnessedSize;
    },
  );
  perReplica(
    'comity_hub_ledger_forked',
    'Whether the agent’s ledger has forked: nothing of it is used then.',
    (replica) => {
      return Number(replica.ledger.view().fork !== undefined);
    },
  );
  perReplica(
    'comity_hub_ledger_key_pinned',
    'Whether the key of the agent’s ledger is in the configuration, and not the first that the agent showed.',
    ({ ledger }) => Number(ledger.view().keySource === 'pinned'),
  );

  function ofCache(kind: 'counter' | 'gauge', name: string, help: string, read: (counts: CacheCounts) => number): void {
    if (kind === 'gauge') {
      const gauge: Gauge = new Gauge({ name, help, registers, collect: () => gauge.set(readCounts(read)) });
      return;
    }
    const counter: Counter = new Counter({
      name,
      help,
      registers,
      collect: () => {
        counter.reset();
        counter.inc(readCounts(read));
      },
    });
  }
  function readCounts(read: (counts: CacheCounts) => number): number {
    const counts = cache();
    return counts === undefined ? 0 : read(counts);
  }
  ofCache('counter', 'comity_hub_cache_hits_total', 'Steps of fragments taken from the cache.', ({ hits }) => hits);
  ofCache(
    'counter',
    'comity_hub_cache_misses_total',
    'Steps of fragments that were asked for.',
    ({ misses }) => misses,
  );
  ofCache('counter', 'comity_hub_cache_kept_total', 'Steps of fragments put into the cache.', (counts) => {
    return counts.keptSteps;
  });
  ofCache('counter', 'comity_hub_cache_dropped_total', 'Steps that late data or a new policy took out.', (counts) => {
    return counts.droppedSteps;
  });
  ofCache(
    'counter',
    'comity_hub_cache_evicted_total',
    'Steps that went to make room.',
    ({ evictedSteps }) => evictedSteps,
  );
  ofCache('gauge', 'comity_hub_cache_bytes', 'Bytes of what the cache keeps.', ({ bytes }) => bytes);

  return {
    answer(handler, status) {
      answers.inc({ handler, code: String(status) });
    },
    query(outcome, duration) {
      queries.inc({ outcome });
      seconds.observe(duration);
    },
    dispatch: {
      asked({ domain, endpoint, outcome, seconds: took }) {
        requests.inc({ domain, endpoint, outcome });
        requestSeconds.observe({ domain }, took);
      },
      retried: (domain) => retries.inc({ domain }),
      hedged: (domain) => hedges.inc({ domain }),
      receipt: (domain, holds) => receipts.inc({ domain, holds: String(holds) }),
      forked: (domain) => forks.inc({ domain }),
      checkpointDropped: (domain) => dropped.inc({ domain }),
      witnessFault: () => witnessFaults.inc(),
    },
    registered: metrics,
    text: () => metrics.metrics(),
    contentType: metrics.contentType,
  };
}

const BREAKER_STATES: Readonly<Record<BreakerState, number>> = { closed: 0, half_open: 1, open: 2 };
