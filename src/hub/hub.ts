import { pino, type Logger } from 'pino';
import { acceptForms } from '../api/envelope.ts';
import { DEFAULT_LOOKBACK_MS, DEFAULT_QUERY_TIMEOUT_MS } from '../api/query.ts';
import { openAuditLog } from '../base/audit-log.ts';
import { httpServer, listen } from '../base/http.ts';
import { traceIdOf } from '../base/traceparent.ts';
import { hubFeatures, NO_FEATURES } from '../promql/features.ts';
import { prometheusErrors } from './api/envelope.ts';
import { bundleApi } from './api/bundle.ts';
import { federationApi } from './api/federation.ts';
import { witnessApi } from './api/witness.ts';
import { prometheusApi } from './api/prometheus.ts';
import { openBundles } from './bundles.ts';
import { openColumnsCache } from './cache/columns-cache.ts';
import { CACHE_BYTES, type HubConfig } from './config.ts';
import { heartbeatLoop } from './dispatch/heartbeat.ts';
import { openWitness } from './ledgers/witness.ts';
import { hubMetrics, type HubMetrics } from './metrics.ts';
import { watchPolicies } from './policy-drift.ts';
import { closeRegistry, openRegistry, type DispatchEvents } from './registry.ts';
import { traceOf, traceRequests } from './trace.ts';

/** A running hub. */
export interface Hub {
  /** Root of its HTTP API. */
  readonly url: string;
  close(): Promise<void>;
}

const WITHOUT_STATE =
  'without state.path the hub forgets with its end which ledger keys it trusted and how far it has witnessed the ledgers';

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
  if (config.state === undefined) log.warn(WITHOUT_STATE);
  const witness = openWitness(config.state);
  const registry = openRegistry(config.domains, dispatchEvents(metrics, log), witness);
  const bundles = config.bundles === undefined ? undefined : openBundles(config.bundles, log);
  const policies = watchPolicies(registry, bundles, metrics.registered);
  const federation = { registry, domainLabel: config.domainLabel ?? 'domain', cache, audit };
  const stopping = new AbortController();
  const heartbeats = registry.flatMap((domain) =>
    domain.replicas.map((replica) => heartbeatLoop(domain, replica, HEARTBEAT_MS, stopping.signal)),
  );

  const app = httpServer(log);
  const close = async (): Promise<void> => {
    await app.close();
    stopping.abort();
    bundles?.close();
    policies.close();
    await closeRegistry(registry);
    await Promise.all(heartbeats);
    witness.close();
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
  federationApi(app, registry, policies);
  if (bundles !== undefined) bundleApi(app, bundles, config.bundles?.token);
  witnessApi(app, witness, () =>
    registry.flatMap(({ replicas }) => replicas.flatMap(({ ledger }) => ledger.verifier() ?? [])),
  );
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
    trusted(domain, url, key) {
      log.warn({ domain, url, key }, 'the key of a ledger is trusted because it is the first: ledger_key would pin it');
    },
    forked(domain, url, why) {
      dispatch.forked(domain, url, why);
      log.error({ domain, url, why }, 'a ledger has forked: nothing of it is used any more');
    },
    witnessFault(error) {
      dispatch.witnessFault(error);
      log.error({ err: error }, 'what the hub knows of a ledger cannot be written down');
    },
    turned(domain, url, isOpen, why) {
      if (isOpen) log.warn({ domain, url, why }, 'nothing is sent to an agent that fails');
      else log.info({ domain, url }, 'an agent answers again');
    },
  };
}
