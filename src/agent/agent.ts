import { pino, type Logger } from 'pino';
import { httpServer, listen } from '../base/http.ts';
import { LIMITS } from '../base/limits.ts';
import type { Border } from '../border/release.ts';
import { openStreamsDb } from '../coverage/streams-db.ts';
import { trackStreams } from '../coverage/streams.ts';
import { readPolicy } from '../policy/document.ts';
import { openStore, type Store } from '../store/store.ts';
import { federationEndpoint } from './answer.ts';
import type { AgentConfig } from './config.ts';
import { agentMetrics } from './metrics.ts';
import { otlpReceiver } from './otlp-receiver.ts';
import { streamSaver } from './save-streams.ts';

/** A running agent. */
export interface Agent {
  /** Where senders of the domain deliver. */
  readonly otlpUrl: string;
  /** Where hubs ask. */
  readonly federationUrl: string;
  readonly store: Store;
  close(): Promise<void>;
}

/** What is known of the streams is written down this often, and at once when a new one appears. */
const SAVE_STREAMS_MS = 5_000;

/** Bytes of a raw sample: a time and a value. */
const SAMPLE_BYTES = 16;

/** Starts the agent of one domain: store, streams, the listener for senders, the listener for hubs. */
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
    const store = openStore({
      path: config.store,
      durability: config.durability ?? 'process',
      onProblem: (problem) => log.error(problem, 'store problem'),
    });
    stops.push(() => store.close());

    const streamsDb = openStreamsDb(coveragePath(config.store));
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

    const metrics = agentMetrics(
      () => store.stats(),
      () => streams.counts(Date.now()),
    );

    const local = httpServer(log);
    stops.push(() => local.close());
    await otlpReceiver(local, {
      append: (batch) => store.append(batch),
      onStreams(signal, seen, nowMs) {
        if (streams.seen(signal, seen, nowMs)) saver.saveNew();
      },
      domain,
      domainLabel,
      now: Date.now,
      counters: metrics.otlp,
    });
    local.get('/-/healthy', async () => 'Comity agent is healthy.\n');
    local.get('/-/ready', async () => 'Comity agent is ready.\n');
    local.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()));

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
    const federationUrl = await listen(federation, config.listen.federation);
    log.info({ domain, jurisdiction, otlpUrl, federationUrl, policyDigest: policy.digest }, 'agent ready');
    return { otlpUrl, federationUrl, store, close: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Streams live in a file of their own: the store keeps its file to itself. */
function coveragePath(storePath: string): string {
  return `${storePath.replace(/\.sqlite$/, '')}.coverage.sqlite`;
}
