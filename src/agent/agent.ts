import { pino, type Logger } from 'pino';
import { ComityError } from '../base/errors.ts';
import { httpServer, listen } from '../base/http.ts';
import { LIMITS } from '../base/limits.ts';
import type { Border } from '../border/release.ts';
import { openStreamsDb } from '../coverage/streams-db.ts';
import { trackStreams } from '../coverage/streams.ts';
import { admission } from '../policy/admit.ts';
import { readPolicy } from '../policy/document.ts';
import { openDomainKeys } from '../policy/domain-key.ts';
import { openStore, type Store } from '../store/store.ts';
import { federationEndpoint } from './answer.ts';
import type { AgentConfig, GrpcListen } from './config.ts';
import { ingest } from './ingest.ts';
import { localQueryApi } from './local-query.ts';
import { agentMetrics } from './metrics.ts';
import { otlpCore, type OtlpCore } from './otlp-core.ts';
import { otlpGrpcReceiver } from './otlp-grpc.ts';
import { otlpHttpReceiver } from './otlp-http.ts';
import type { ReceiverDeps } from './receiver.ts';
import { remoteWriteReceiver } from './remote-write-receiver.ts';
import { bodyBudget, type BodyBudget } from './request-body.ts';
import { streamSaver } from './save-streams.ts';
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
  readonly store: Store;
  close(): Promise<void>;
}

/** What is known of the streams is written down this often, and at once when a new one appears. */
const SAVE_STREAMS_MS = 5_000;

/** Bytes of a raw sample: a time and a value. */
const SAMPLE_BYTES = 16;

/** Starts the agent of one domain: store, streams, receivers, scraper, local queries, the listener for hubs. */
export async function startAgent(config: AgentConfig, log: Logger = pino({ level: 'silent' })): Promise<Agent> {
  const { domain, jurisdiction, domainLabel = 'domain' } = config;
  const policy = readPolicy(config.policy, domain, domainLabel);
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
    const keys = openDomainKeys(config.domainKey ?? besideStore(config.store, 'key'));
    const store = openStore({
      path: config.store,
      durability: config.durability ?? 'process',
      onProblem: (problem) => log.error(problem, 'store problem'),
      onProgress: (progress) => log.info(progress, 'opening the store'),
      ...storeLimits(config),
    });
    stops.push(() => store.close());
    if (keys.created && store.stats().series > 0) {
      log.warn({ domain }, 'a new domain key was made for a store that has data: pseudonyms in it no longer match');
    }

    const streamsDb = openStreamsDb(besideStore(config.store, 'coverage.sqlite'));
    stops.push(() => streamsDb.close());
    const streams = trackStreams(streamsDb.load(), Date.now(), LIMITS.streams);
    const saver = streamSaver(streams, streamsDb, Date.now, (error) =>
      log.error({ err: error }, 'streams could not be written down, the next try is later'),
    );
    const saving = setInterval(saver.save, SAVE_STREAMS_MS);
    stops.push(() => {
      clearInterval(saving);
      saver.save();
    });

    const admit = admission({ keys, domainLabel });
    const budget = bodyBudget(LIMITS.bodyBytesAtOnce);
    const intake = ingest(store, {
      memoryBytes: config.limits?.memoryBytes,
      onFailure: failureLog(log),
    });
    stops.push(() => intake.close());
    const metrics = agentMetrics({
      store: () => store.stats(),
      streams: () => streams.counts(Date.now()),
      admitted: () => admit.counts(),
      memoryRefusals: () => intake.memoryRefusals,
      bodyBytes: () => budget.heldBytes,
    });
    const receiver: ReceiverDeps = {
      append: (batch) => intake.append(batch),
      admission: admit,
      onStreams(signal, seen, nowMs) {
        if (streams.seen(signal, seen, nowMs)) saver.saveNew();
      },
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
    local.get('/-/healthy', async () => 'Comity agent is healthy.\n');
    local.get('/-/ready', async () => 'Comity agent is ready.\n');
    local.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()));
    targetsApi(local, scraper.targets);

    const border: Border = {
      policy,
      source: store,
      status() {
        const { expected, observed, settledUntilMs } = streams.counts(Date.now());
        return {
          domain,
          policyDigest: policy.digest,
          expectedStreams: expected,
          observedStreams: observed,
          settledUntilMs,
          rawBytesHeld: store.stats().samples * SAMPLE_BYTES,
          releasedBytes: metrics.releasedBytes(),
        };
      },
    };
    const federation = httpServer(log);
    stops.push(() => federation.close());
    federationEndpoint(federation, {
      border,
      token: config.token,
      onReleased: metrics.released,
      onFault: (error) => log.error({ err: error }, 'federation fault'),
    });

    const otlpUrl = await listen(local, config.listen.otlp);
    const grpc = await listenGrpc(config.listen.otlpGrpc, otlp, budget, log);
    if (grpc !== undefined) stops.push(() => grpc.close());
    let queryUrl: string | undefined;
    if (config.listen.query !== undefined) {
      const query = httpServer(log);
      stops.push(() => query.close());
      localQueryApi(query, { source: store, onFault: (error) => log.error({ err: error }, 'query fault') });
      targetsApi(query, scraper.targets);
      queryUrl = await listen(query, config.listen.query);
    }
    const federationUrl = await listen(federation, config.listen.federation);
    const urls = { otlpUrl, grpcUrl: grpc?.url, queryUrl, federationUrl };
    log.info({ domain, jurisdiction, ...urls, policyDigest: policy.digest }, 'agent ready');
    return { ...urls, store, close: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function storeLimits({ limits }: AgentConfig): { seriesLimit?: number; metricSeriesLimit?: number } {
  return {
    ...(limits?.series === undefined ? {} : { seriesLimit: limits.series }),
    ...(limits?.seriesPerMetric === undefined ? {} : { metricSeriesLimit: limits.seriesPerMetric }),
  };
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
