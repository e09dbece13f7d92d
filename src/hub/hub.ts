import { pino, type Logger } from 'pino';
import { acceptForms } from '../api/envelope.ts';
import { DEFAULT_LOOKBACK_MS, DEFAULT_QUERY_TIMEOUT_MS } from '../api/query.ts';
import { openAuditLog } from '../base/audit-log.ts';
import { httpServer, listen } from '../base/http.ts';
import { traceIdOf } from '../base/traceparent.ts';
import { hubFeatures, NO_FEATURES } from '../promql/features.ts';
import { prometheusErrors } from './api/envelope.ts';
import { federationApi } from './api/federation.ts';
import { prometheusApi } from './api/prometheus.ts';
import { openColumnsCache } from './cache/columns-cache.ts';
import { CACHE_BYTES, type HubConfig } from './config.ts';
import { heartbeatLoop } from './dispatch/heartbeat.ts';
import { hubMetrics, type HubMetrics } from './metrics.ts';
import { closeRegistry, openRegistry, type DispatchEvents } from './registry.ts';
import { traceOf, traceRequests } from './trace.ts';

/** A running hub. */
export interface Hub {
  /** Root of its HTTP API. */
  readonly url: string;
  close(): Promise<void>;
}

/** A domain that dies is noticed within this, even when nobody asks anything. */
const HEARTBEAT_MS = 2_000;

/** Starts a hub: the registry of domains with its heartbeats, and the HTTP API over them. */
export async function startHub(config: HubConfig, log: Logger = pino({ level: 'silent' })): Promise<Hub> {
  const audit = config.audit === undefined ? undefined : openAuditLog(config.audit.path, config.audit.bytes);
  const cacheBytes = audit === undefined ? 0 : (config.cacheBytes ?? CACHE_BYTES);
  const cache = cacheBytes === 0 ? undefined : openColumnsCache(cacheBytes);
  const metrics = hubMetrics(
    () => registry,
    () => cache?.counts(),
  );
  const registry = openRegistry(config.domains, dispatchEvents(metrics, log));
  const federation = { registry, domainLabel: config.domainLabel ?? 'domain', cache, audit };
  const stopping = new AbortController();
  const heartbeats = registry.flatMap((domain) =>
    domain.replicas.map((replica) => heartbeatLoop(domain, replica, HEARTBEAT_MS, stopping.signal)),
  );

  const app = httpServer(log);
  const close = async (): Promise<void> => {
    await app.close();
    stopping.abort();
    await closeRegistry(registry);
    await Promise.all(heartbeats);
    audit?.close();
  };

  traceRequests(app);
  acceptForms(app);
  prometheusErrors(app, (error, request) =>
    log.error({ err: error, trace: traceIdOf(traceOf(request)) }, 'query fault'),
  );
  prometheusApi(app, {
    federation,
    lookbackMs: config.lookbackMs ?? DEFAULT_LOOKBACK_MS,
    queryTimeoutMs: config.queryTimeoutMs ?? DEFAULT_QUERY_TIMEOUT_MS,
    features: hubFeatures(config.features ?? NO_FEATURES),
    onQuery: metrics.query,
    onAnswer: metrics.answer,
  });
  federationApi(app, registry);
  app.get('/-/healthy', async () => 'Comity hub is healthy.\n');
  app.get('/-/ready', async () => 'Comity hub is ready.\n');
  app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()));

  try {
    const url = await listen(app, config.listen);
    log.info({ url, domains: config.domains.map((domain) => domain.name), cacheBytes }, 'hub ready');
    return { url, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function dispatchEvents({ dispatch }: HubMetrics, log: Logger): DispatchEvents {
  return {
    ...dispatch,
    asked(question) {
      dispatch.asked(question);
      const { domain, endpoint, outcome, reason, trace } = question;
      // A domain that is gone fails every panel of every dashboard: that it is gone is told once, by its breaker.
      if (outcome !== 'ok') log.debug({ trace: traceIdOf(trace), domain, endpoint, outcome, reason }, 'no answer');
    },
    turned(domain, url, isOpen, why) {
      if (isOpen) log.warn({ domain, url, why }, 'nothing is sent to an agent that fails');
      else log.info({ domain, url }, 'an agent answers again');
    },
  };
}
