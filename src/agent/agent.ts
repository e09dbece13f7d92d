import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { pino, type Logger } from 'pino';
import { ComityError } from '../base/errors.ts';
import { readText } from '../base/config.ts';
import { httpServer, listen } from '../base/http.ts';
import { LIMITS } from '../base/limits.ts';
import type { Border } from '../border/release.ts';
import type { Settlement } from '../coverage/settlement.ts';
import { admission } from '../policy/admit.ts';
import { parsePolicy } from '../policy/document.ts';
import { openDomainKeys } from '../policy/domain-key.ts';
import { defaultShards, openShards, type Shards, type ShardsOptions } from '../shard/open-shards.ts';
import { openQueries } from '../shard/queries.ts';
import { adminEndpoint, adminSocket } from './admin.ts';
import { federationEndpoint } from './answer.ts';
import { ownPages } from './own-pages.ts';
import { openAuditLog } from '../base/audit-log.ts';
import type { AgentConfig, GrpcListen } from './config.ts';
import { openCoverage } from './coverage.ts';
import { ingest } from './ingest.ts';
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
  /** Where hubs ask. */
  readonly federationUrl: string;
  readonly shards: Shards;
  /** Resolves when the agent can serve no longer by itself: a thread of its store has ended. It is to be closed then. */
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
  const policyText = readText(config.policy);
  const policy = parsePolicy(policyText, config.policy, domain, domainLabel);
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
    const shards = await openShards({
      store: { path: config.store, durability: config.durability ?? 'process', ...storeOptions(config) },
      shards: config.shards ?? defaultShards(),
      reading: { policy: { text: policyText, domain, domainLabel } },
      onProblem: (problem, shard) => log.error({ shard, ...problem }, 'store problem'),
      onProgress: (progress, shard) => log.info({ shard, ...progress }, 'opening the store'),
      onWarning: (message) => log.warn(message),
    });
    stops.push(() => shards.close());
    const queries = openQueries(shards.shards);
    stops.push(() => queries.close());
    void shards.failed.then((error) => log.fatal({ err: error }, 'the agent cannot go on'));
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

    const admin = await listenAdmin(shards, coverage.settlement, config.store, log);
    if (admin !== undefined) stops.push(() => admin.close());

    const admit = admission({ keys, domainLabel });
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
    });
    const gate = loadGate({ share: config.limits?.federation, events: metrics.load });
    const receiver: ReceiverDeps = {
      append: (batch) => intake.append(batch),
      admission: admit,
      onStreams: coverage.onStreams,
      domain,
      domainLabel,
      now: Date.now,
      counters: metrics.receivers,
    };
    const otlp = otlpCore({
      ...receiver,
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
      policy,
      data: queries,
      status() {
        const { expected, observed, settledUntilMs, gaps } = coverage.tell();
        return {
          domain,
          policyDigest: policy.digest,
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
    };
    const federation = httpServer(log);
    stops.push(() => federation.close());
    federationEndpoint(federation, {
      border,
      gate,
      token: config.token,
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
    const federationUrl = await listen(federation, config.listen.federation);
    const urls = { otlpUrl, grpcUrl: grpc?.url, queryUrl, federationUrl };
    log.info({ domain, jurisdiction, ...urls, policyDigest: policy.digest }, 'agent ready');
    return { ...urls, shards, failed: shards.failed, close: stop };
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
  store: string,
  log: Logger,
): Promise<{ close(): Promise<void> } | undefined> {
  if (store === ':memory:') return undefined;
  const path = adminSocket(store);
  try {
    return await adminEndpoint(shards, settlement, path, log);
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
