import { pino, type Logger } from 'pino';
import { acceptForms } from '../api/envelope.ts';
import { DEFAULT_LOOKBACK_MS, DEFAULT_QUERY_TIMEOUT_MS } from '../api/query.ts';
import { httpServer, listen } from '../base/http.ts';
import { NO_FEATURES } from '../promql/features.ts';
import { prometheusErrors } from './api/envelope.ts';
import { federationApi } from './api/federation.ts';
import { prometheusApi } from './api/prometheus.ts';
import type { HubConfig } from './config.ts';
import { heartbeatLoop } from './dispatch.ts';
import { hubMetrics } from './metrics.ts';
import { closeRegistry, openRegistry } from './registry.ts';

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
  const registry = openRegistry(config.domains);
  const federation = { registry, domainLabel: config.domainLabel ?? 'domain' };
  const metrics = hubMetrics(registry);
  const stopping = new AbortController();
  const heartbeats = registry.map((domain) => heartbeatLoop(domain, HEARTBEAT_MS, stopping.signal));

  const app = httpServer(log);
  const close = async (): Promise<void> => {
    await app.close();
    stopping.abort();
    await closeRegistry(registry);
    await Promise.all(heartbeats);
  };

  acceptForms(app);
  prometheusErrors(app, (error) => log.error({ err: error }, 'query fault'));
  prometheusApi(app, {
    federation,
    lookbackMs: config.lookbackMs ?? DEFAULT_LOOKBACK_MS,
    queryTimeoutMs: config.queryTimeoutMs ?? DEFAULT_QUERY_TIMEOUT_MS,
    features: config.features ?? NO_FEATURES,
    onQuery: metrics.query,
  });
  federationApi(app, registry);
  app.get('/-/healthy', async () => 'Comity hub is healthy.\n');
  app.get('/-/ready', async () => 'Comity hub is ready.\n');
  app.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()));

  try {
    const url = await listen(app, config.listen);
    log.info({ url, domains: config.domains.map((domain) => domain.name) }, 'hub ready');
    return { url, close };
  } catch (error) {
    await close();
    throw error;
  }
}
