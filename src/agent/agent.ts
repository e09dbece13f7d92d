import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { pino, type Logger } from 'pino';
import { ComityError } from '../base/errors.ts';
import { httpServer, listen } from '../base/http.ts';
import { LIMITS } from '../base/limits.ts';
import type { Border } from '../border/border.ts';
import type { Settlement } from '../coverage/settlement.ts';
import { admission } from '../policy/admit.ts';
import { openDomainKeys } from '../policy/domain-key.ts';
import { keyInventory } from '../policy/key-inventory.ts';
import { defaultShards, openShards, type Shards, type ShardsOptions } from '../shard/open-shards.ts';
import { openQueries } from '../shard/queries.ts';
import { adminEndpoint, adminSocket, type AdminViews } from './admin.ts';
import { federationEndpoint } from './answer.ts';
import { ownPages } from './own-pages.ts';
import { openAuditLog } from '../base/audit-log.ts';
import { DEFAULT_AGENT, type AgentConfig, type GrpcListen } from './config.ts';
import { openCompliance } from './compliance-api.ts';
import { openCoverage } from './coverage.ts';
import { ingest } from './ingest.ts';
import { besideLedger, openAgentLedger, recordRedactions } from './ledger.ts';
import { openDropping } from './drop-labels.ts';
import { keyReport, type KeysAnswer } from './key-report.ts';
import { consumersOf } from './consumers.ts';
import { openLivePolicy } from './live-policy.ts';
import { localQueryApi } from './local-query.ts';
import { loadGate } from './load-gate.ts';
import { agentMetrics } from './metrics.ts';
import { otlpCore, type OtlpCore } from './otlp-core.ts';
import { otlpGrpcReceiver } from './otlp-grpc.ts';
import { otlpHttpReceiver } from './otlp-http.ts';
import type { ReceiverDeps } from './receiver.ts';
import { remoteWriteReceiver } from './remote-write-receiver.ts';
import { bodyBudget, type BodyBudget } from './request-body.ts';
import { startScraper } from './scrape/scraper.ts';
import { targetsApi } from './targets-api.ts';

/** A running agent. */
export interface Agent {
  /** Where senders of the domain deliver over HTTP. */
  readonly otlpUrl: string;
  /** Where they deliver OTLP over gRPC; undefined when nowhere. */
  readonly grpcUrl: string | undefined;
  /** Where people of the domain query what it holds; undefined when nowhere. */
  readonly queryUrl: string | undefined;
  /** Where the domain's compliance team asks; undefined when nowhere. */
  readonly complianceUrl: string | undefined;
  /** Where hubs ask. */
  readonly federationUrl: string;
  readonly shards: Shards;
  /** Resolves when the agent can serve no longer by itself: a thread of its store or of its ledger has ended. It is to be closed then. */
  readonly failed: Promise<ComityError>;
  close(): Promise<void>;
}

/** Of the log of local reads, when the configuration says nothing: some 200,000 of them. */
const AUDIT_BYTES = 64 * 1024 * 1024;

/** Bytes of a raw sample: a time and a value. */
const SAMPLE_BYTES = 16;

/** Starts the agent of one domain: store, streams, receivers, scraper, local queries, the listener for hubs. */
export async function startAgent(config: AgentConfig, log: Logger = pino({ level: 'silent' })): Promise<Agent> {
  const { domain, jurisdiction, domainLabel = 'domain' } = config;
  const stops: (() => void | Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const step of stops.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        log.error({ err: error }, 'a step of the shutdown failed');
      }
    }
  };

  try {
    // The domain key and the coverage file lie beside the store.
    mkdirSync(dirname(config.store), { recursive: true });
    const keys = openDomainKeys(config.domainKey ?? besideStore(config.store, 'key'));
    const ledgerPath = config.store === ':memory:' ? ':memory:' : besideStore(config.store, 'ledger.sqlite');
    const book = await openAgentLedger({
      path: ledgerPath,
      keyPath: besideLedger(ledgerPath, 'key'),
      domain,
      agent: config.agent ?? DEFAULT_AGENT,
      jurisdiction,
      source: 'store',
      keys,
      witnesses: config.witnesses ?? [],
      log,
    });
    stops.push(() => book.close());
    const live = openLivePolicy({
      config: { ...config, domainLabel },
      statePath: config.store === ':memory:' ? undefined : besideStore(config.store, 'policy.json'),
      mark: (await book.writer.lastPolicy())?.bundle,
      log,
    });
    const shards = await openShards({
      store: { path: config.store, durability: config.durability ?? 'process', ...storeOptions(config) },
      shards: config.shards ?? defaultShards(),
      reading: { policies: live.source.texts() },
      onProblem: (problem, shard) => log.error({ shard, ...problem }, 'store problem'),
      onProgress: (progress, shard) => log.info({ shard, ...progress }, 'opening the store'),
      onWarning: (message) => log.warn(message),
    });
    stops.push(() => shards.close());
    const queries = openQueries(shards.shards);
    stops.push(() => queries.close());
    stops.push(() => live.close());
    // Without its ledger it could take telemetry and answer no hub: whoever runs it should start it again.
    const failed = Promise.race([shards.failed, book.ledger.failed]);
    void failed.then((error) => log.fatal({ err: error }, 'the agent cannot go on'));
    if (keys.created && shards.stats().series > 0) {
      log.warn({ domain }, 'a new domain key was made for a store that has data: pseudonyms in it no longer match');
    }

    const coveragePath = besideStore(config.store, 'coverage.sqlite');
    const coverage = openCoverage({
      path: coveragePath,
      durability: config.durability ?? 'process',
      retentionMs: config.retentionMs,
      log,
      producersOf: (metric, { deadlineMs, signal }) => queries.producers(metric, deadlineMs, signal),
      series: () => shards.stats().series,
    });
    stops.push(() => coverage.close());
    await coverage.recover(shards.shards);

    const inventory = keyInventory();
    const admit = admission({ keys, domainLabel, words: live.source.admitRules(), seen: inventory.seen });
    const known = { domain, domainLabel, queries, admission: admit, inventory };
    const listKeys = (signal: AbortSignal): Promise<KeysAnswer> => keyReport(known, signal);
    const admin = await listenAdmin(
      shards,
      coverage.settlement,
      { keys: listKeys, canary: live.canary.report },
      config.store,
      log,
    );
    if (admin !== undefined) stops.push(() => admin.close());
    // Closed after whatever takes telemetry, so that the last leaf tells all of it.
    const redactions = recordRedactions(book.writer, () => admit.counts(), log);
    stops.push(() => redactions.close());
    const dropping = await openDropping({
      admission: admit,
      rules: live.source.admitRules().drop,
      keys,
      domainLabel,
      metadata: async () => (await Promise.all(shards.shards.map((one) => one.metadata({ releases: false })))).flat(),
    });
    const budget = bodyBudget(LIMITS.bodyBytesAtOnce);
    const intake = ingest(shards, {
      memoryBytes: config.limits?.memoryBytes,
      settlement: coverage.settlement,
      onFailure: failureLog(log),
    });
    stops.push(() => intake.close());
    const metrics = agentMetrics({
      store: () => shards.stats(),
      shards: () => shards.shards.length,
      memoryBytes: () => intake.memoryBytes(),
      coverage,
      admitted: () => admit.counts(),
      memoryRefusals: () => intake.memoryRefusals,
      bodyBytes: () => budget.heldBytes,
      load: () => gate.load(),
      ledger: book.metrics,
      policy: live,
      joined: dropping.counts,
    });
    const gate = loadGate({ share: config.limits?.federation, events: metrics.load });
    book.gather(() => gate.load().running);
    const receiver: ReceiverDeps = {
      append: (batch) => intake.append(dropping.batch(admit.batch(batch))),
      admission: dropping.admission,
      onStreams: coverage.onStreams,
      domain,
      domainLabel,
      now: Date.now,
      counters: metrics.receivers,
    };
    const otlp = otlpCore({
      ...receiver,
      attributeSeen: inventory.seen,
      promoteResourceAttributes: config.promoteResourceAttributes,
      convertHistogramsToNhcb: config.convertHistogramsToNhcb,
      onFault: (error) => log.error({ err: error }, 'an OTLP request failed'),
    });

    const scraper = await startScraper(config.scrape ?? [], { ...receiver, log, budget });
    stops.push(() => scraper.close());

    const local = httpServer(log);
    stops.push(() => local.close());
    await otlpHttpReceiver(local, otlp, budget);
    await remoteWriteReceiver(local, receiver, budget);
    ownPages(local, metrics);
    targetsApi(local, scraper.targets);

    const border: Border = {
      policy: live.policy,
      veto: live.veto,
      shadow: live.canary,
      data: queries,
      status() {
        const { expected, observed, settledUntilMs, gaps } = coverage.tell();
        return {
          domain,
          ...live.status(),
          expectedStreams: expected,
          observedStreams: observed,
          settledUntilMs,
          rawBytesHeld: shards.stats().samples * SAMPLE_BYTES,
          releasedBytes: metrics.releasedBytes(),
          gaps,
          heldFromMs: heldFrom(config.retentionMs),
        };
      },
      coverage: coverage.coverage,
      late: coverage.late,
      recorder: book.recorder,
      onSuppressed: metrics.suppressed,
      ledger: book.ledger,
    };
    // Before anybody can ask: the policy in force is in the ledger first.
    await live.start({ apply: shards.applyPolicies, record: book.writer.policy, kinds: queries.kinds });
    const federation = httpServer(log);
    stops.push(() => federation.close());
    federationEndpoint(federation, {
      border,
      gate,
      consumers: consumersOf(config),
      onReleased: metrics.released,
      onFault: (error, trace) => log.error({ err: error, trace }, 'federation fault'),
    });

    const otlpUrl = await listen(local, config.listen.otlp);
    const grpc = await listenGrpc(config.listen.otlpGrpc, otlp, budget, log);
    if (grpc !== undefined) stops.push(() => grpc.close());
    let queryUrl: string | undefined;
    if (config.listen.query !== undefined) {
      const audit = openAuditLog(besideStore(config.store, 'audit.jsonl'), config.query?.auditBytes ?? AUDIT_BYTES);
      stops.push(() => audit.close());
      const query = httpServer(log);
      stops.push(() => query.close());
      localQueryApi(query, {
        queries,
        lookbackMs: config.query?.lookbackMs,
        queryTimeoutMs: config.query?.timeoutMs,
        features: config.features,
        audit,
        onFault: (error) => log.error({ err: error }, 'query fault'),
      });
      targetsApi(query, scraper.targets);
      queryUrl = await listen(query, config.listen.query);
    }
    const compliance = await openCompliance({ ...config, ledger: ledgerPath }, book.ledger.vkey, log);
    if (compliance !== undefined) stops.push(() => compliance.close());
    const federationUrl = await listen(federation, config.listen.federation);
    const urls = { otlpUrl, grpcUrl: grpc?.url, queryUrl, complianceUrl: compliance?.url, federationUrl };
    log.info({ domain, jurisdiction, ...urls, policyDigest: live.policy().digest }, 'agent ready');
    return { ...urls, shards, failed, close: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Before this time no sample is held or can still come; 0 where all are kept. They go by whole days, and the first sample of
 * a series may be as old as those that are kept.
 */
function heldFrom(retentionMs: number | undefined): number {
  if (retentionMs === undefined) return 0;
  return (Math.floor((Date.now() - retentionMs) / DAY_MS) - 2) * DAY_MS;
}

function storeOptions(config: AgentConfig): Partial<ShardsOptions['store']> {
  const { limits, retentionMs, retentionBytes, outOfOrderMs } = config;
  const options = {
    seriesLimit: limits?.series,
    metricSeriesLimit: limits?.seriesPerMetric,
    retentionMs,
    retentionBytes,
    outOfOrderMs,
  };
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** The administration's socket. An agent takes telemetry without it as well, where the file system has no room for one. */
async function listenAdmin(
  shards: Shards,
  settlement: Settlement,
  views: AdminViews,
  store: string,
  log: Logger,
): Promise<{ close(): Promise<void> } | undefined> {
  if (store === ':memory:') return undefined;
  const path = adminSocket(store);
  try {
    return await adminEndpoint(shards, settlement, views, path, log);
  } catch (error) {
    log.warn({ err: error }, `administration is off: no socket can be made at ${path}`);
    return undefined;
  }
}

/** The listener for OTLP over gRPC. One that nobody configured may find its port taken: then the agent goes on without. */
async function listenGrpc(
  configured: GrpcListen | undefined,
  otlp: OtlpCore,
  budget: BodyBudget,
  log: Logger,
): Promise<{ readonly url: string; close(): Promise<void> } | undefined> {
  if (configured === undefined) return undefined;
  try {
    return await otlpGrpcReceiver(otlp, budget, configured.address);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (configured.isDefault && code === 'EADDRINUSE') {
      log.warn(`OTLP over gRPC is off: ${configured.address} is in use. Set listen.otlp_grpc`);
      return undefined;
    }
    throw new ComityError('bad_config', `cannot listen on ${configured.address}: ${message}`, { cause: error });
  }
}

/** Whatever else an agent keeps lies beside its store, which keeps its file to itself. */
function besideStore(storePath: string, suffix: string): string {
  return `${storePath.replace(/\.sqlite$/, '')}.${suffix}`;
}

/** A full disk fails every batch. One line in this many ms says so, or the log would fill the disk that makes room. */
const FAILURE_LOG_MS = 10_000;

function failureLog(log: Logger): (error: ComityError) => void {
  let loggedAt = -Infinity;
  let failures = 0;
  return (error) => {
    failures++;
    if (performance.now() - loggedAt < FAILURE_LOG_MS) return;
    log.error({ err: error, failures }, 'batches could not be stored');
    loggedAt = performance.now();
    failures = 0;
  };
}
