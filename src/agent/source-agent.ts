import { pino, type Logger } from 'pino';
import { Counter, Gauge, Registry } from 'prom-client';
import { readText } from '../base/config.ts';
import { httpServer, listen } from '../base/http.ts';
import type { Border } from '../border/release.ts';
import type { ReleaseKind } from '../border/released.ts';
import { parsePolicy } from '../policy/document.ts';
import { openUpstream, type Upstream } from '../upstream/upstream.ts';
import { federationEndpoint } from './answer.ts';
import { loadGate, type Load } from './load-gate.ts';
import { loadMetrics } from './load-metrics.ts';
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
  const policyText = readText(config.policy);
  const policy = parsePolicy(policyText, config.policy, domain, domainLabel);
  const upstream = openUpstream({ ...config.source, policyText, domain, domainLabel, log, pollMs });
  const stops: (() => Promise<void>)[] = [() => upstream.close()];
  const close = async (): Promise<void> => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  try {
    const metrics = sourceMetrics(upstream, () => gate.load());
    const gate = loadGate({ share: config.share, events: metrics.load });
    const border: Border = {
      policy,
      data: upstream,
      status() {
        const { expected, observed, settledUntilMs, rawBytesHeld } = upstream.state();
        return {
          domain,
          policyDigest: policy.digest,
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
    let metricsUrl: string | undefined;
    if (config.listen.metrics !== undefined) {
      const local = httpServer(log);
      stops.push(() => local.close());
      ownPages(local, metrics);
      metricsUrl = await listen(local, config.listen.metrics);
    }
    const federationUrl = await listen(federation, config.listen.federation);
    const { origin } = new URL(config.source.url);
    log.info(
      { domain, jurisdiction, federationUrl, metricsUrl, source: origin, policyDigest: policy.digest },
      'agent ready',
    );
    return { federationUrl, metricsUrl, upstream, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The agent's own metrics, under the names that those of an agent with a store have. */
function sourceMetrics(upstream: Upstream, load: () => Load) {
  const registry = new Registry();
  const registers = [registry];
  const released = new Counter({
    name: 'comity_border_released_bytes_total',
    help: 'Bytes that left the domain, as sent, by kind of answer.',
    labelNames: ['kind'],
    registers,
  });
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
  let total = 0;
  return {
    released(kind: ReleaseKind, bytes: number): void {
      total += bytes;
      released.inc({ kind }, bytes);
    },
    /** Bytes that went over the border since the agent started. */
    releasedBytes: () => total,
    load: loadMetrics(registry, load),
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
