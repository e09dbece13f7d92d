import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { pino, type Logger } from 'pino';
import { Counter, Gauge, Registry } from 'prom-client';
import { httpServer, listen } from '../base/http.ts';
import type { Border } from '../border/border.ts';
import { openUpstream, type Upstream } from '../upstream/upstream.ts';
import { openDomainKeys, domainKeys, ROOT_BYTES } from '../policy/domain-key.ts';
import { federationEndpoint } from './answer.ts';
import { borderMetrics } from './border-metrics.ts';
import { openCompliance } from './compliance-api.ts';
import { consumersOf } from './consumers.ts';
import { DEFAULT_AGENT } from './config.ts';
import { besideLedger, openAgentLedger, type AgentLedger } from './ledger.ts';
import { openLivePolicy, type LivePolicy } from './live-policy.ts';
import { loadGate, type Load } from './load-gate.ts';
import { loadMetrics } from './load-metrics.ts';
import { policyMetrics } from './policy-metrics.ts';
import { ownPages } from './own-pages.ts';
import type { SourceAgentConfig } from './source-config.ts';

/** A running agent whose samples are in a server of the domain. */
export interface SourceAgent {
  /** Where hubs ask. */
  readonly federationUrl: string;
  /** Where its metrics are; undefined when nowhere. */
  readonly metricsUrl: string | undefined;
  readonly upstream: Upstream;
  close(): Promise<void>;
}

/** Starts the agent of a domain that has a Prometheus-compatible server already: the listener for hubs and nothing else. */
export async function startSourceAgent(
  config: SourceAgentConfig,
  log: Logger = pino({ level: 'silent' }),
): Promise<SourceAgent> {
  const { domain, jurisdiction, domainLabel, pollMs } = config;
  const stops: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  try {
    const book = await openBook(config, log);
    stops.push(() => book.close());
    const live = openLivePolicy({
      config,
      statePath: besideLedger(config.ledger, 'policy.json'),
      mark: (await book.writer.lastPolicy())?.bundle,
      log,
    });
    const policies = live.source.texts();
    const upstream = openUpstream({ ...config.source, policies, domain, domainLabel, log, pollMs });
    stops.push(() => upstream.close());
    stops.push(() => live.close());
    const metrics = sourceMetrics(upstream, () => gate.load());
    metrics.register(book.metrics, live);
    const gate = loadGate({ share: config.share, events: metrics.load });
    book.gather(() => gate.load().running);
    const border: Border = {
      policy: live.policy,
      veto: live.veto,
      shadow: live.canary,
      data: upstream,
      status() {
        const { expected, observed, settledUntilMs, rawBytesHeld } = upstream.state();
        return {
          domain,
          ...live.status(),
          expectedStreams: expected,
          observedStreams: observed,
          settledUntilMs,
          rawBytesHeld,
          releasedBytes: metrics.releasedBytes(),
          gaps: [],
          // For how long the server keeps samples is not known.
          heldFromMs: 0,
        };
      },
      coverage: (question, until) => upstream.coverage(question, until),
      // What a server rewrites of its past nobody tells.
      late: () => undefined,
      recorder: book.recorder,
      onSuppressed: metrics.suppressed,
      ledger: book.ledger,
    };
    // Before anybody can ask: the policy in force is in the ledger first.
    await live.start({
      apply: async (all) => upstream.applyPolicies(all),
      record: book.writer.policy,
      kinds: upstream.kinds,
    });
    const federation = httpServer(log);
    stops.push(() => federation.close());
    federationEndpoint(federation, {
      border,
      gate,
      consumers: consumersOf(config),
      onReleased: metrics.released,
      onFault: (error, trace) => log.error({ err: error, trace }, 'federation fault'),
    });
    let metricsUrl: string | undefined;
    if (config.listen.metrics !== undefined) {
      const local = httpServer(log);
      stops.push(() => local.close());
      ownPages(local, metrics);
      metricsUrl = await listen(local, config.listen.metrics);
    }
    const compliance = await openCompliance(config, book.ledger.vkey, log);
    if (compliance !== undefined) stops.push(() => compliance.close());
    const federationUrl = await listen(federation, config.listen.federation);
    const { origin } = new URL(config.source.url);
    log.info(
      {
        domain,
        jurisdiction,
        federationUrl,
        metricsUrl,
        complianceUrl: compliance?.url,
        source: origin,
        policyDigest: live.policy().digest,
      },
      'agent ready',
    );
    return { federationUrl, metricsUrl, upstream, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The ledger, and beside it the key of its pseudonyms: there is no store whose domain key it could have. */
async function openBook(config: SourceAgentConfig, log: Logger): Promise<AgentLedger> {
  const { ledger: path, domain, agent = DEFAULT_AGENT, jurisdiction, witnesses = [] } = config;
  const keyPath = besideLedger(path, 'key');
  const rootPath = besideLedger(path, 'domain.key');
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true });
  const keys = rootPath === undefined ? domainKeys(randomBytes(ROOT_BYTES)) : openDomainKeys(rootPath);
  return await openAgentLedger({
    path,
    keyPath,
    domain,
    agent,
    jurisdiction,
    source: 'upstream',
    keys,
    witnesses,
    log,
  });
}

/** The agent's own metrics, under the names that those of an agent with a store have. */
function sourceMetrics(upstream: Upstream, load: () => Load) {
  const registry = new Registry();
  const registers = [registry];
  const fragments: Counter = new Counter({
    name: 'comity_source_fragments_total',
    help: 'Fragments answered: worked out by the server (pushed), or from samples read from it (read).',
    labelNames: ['way'],
    registers,
    collect: () => {
      fragments.reset();
      for (const way of ['pushed', 'read'] as const) fragments.inc({ way }, upstream.counts[way]);
    },
  });
  const gauge = (name: string, help: string, read: () => number): void => {
    const metric: Gauge = new Gauge({ name, help, registers, collect: () => metric.set(read()) });
  };
  gauge('comity_source_up', 'Whether the server of the domain answers.', () => Number(upstream.state().isUp));
  gauge('comity_streams_expected', 'Targets that should be delivering.', () => upstream.state().expected);
  gauge('comity_streams_observed', 'Targets that are delivering.', () => upstream.state().observed);
  gauge(
    'comity_agent_settled_until_seconds',
    'Before this Unix time no more samples are awaited; 0 where that is not known.',
    () => upstream.state().settledUntilMs / 1000,
  );
  return {
    ...borderMetrics(registry),
    register(ledger: AgentLedger['metrics'], live: LivePolicy): void {
      ledger.register(registry);
      policyMetrics(registry, live);
    },
    load: loadMetrics(registry, load),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
