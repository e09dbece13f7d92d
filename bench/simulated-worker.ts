/* The domains of W7, in a thread of their own, so that what they cost is not the hub's. */
import { parentPort } from 'node:worker_threads';
import { zstdCompressSync } from 'node:zlib';
import { openFederation, type Federation } from '../src/federationtest/federation.ts';
import type { Endpoint } from '../src/hub/transport.ts';
import { batchBuilder } from '../src/model/batch-builder.ts';
import type { Batch } from '../src/model/batch.ts';
import { labelsOf } from '../src/model/labels.ts';
import { NO_FEATURES } from '../src/promql/features.ts';
import { randomFrom, type Random } from '../test/random.ts';

export interface DomainsToOpen {
  readonly domains: number;
  /** Of each domain; a whole multiple of the groups. */
  readonly series: number;
  /** Values of the label `service`, the same in every domain. */
  readonly groups: number;
  /** 15 s apart, the last one at the end of the queries. */
  readonly samples: number;
  readonly endMs: number;
  readonly seed: number;
}

export type ToDomains =
  | { readonly kind: 'open'; readonly what: DomainsToOpen }
  | {
      readonly kind: 'ask';
      readonly id: number;
      readonly domain: number;
      readonly endpoint: Endpoint;
      readonly body: Uint8Array;
      readonly trace: string;
    }
  | { readonly kind: 'close' };

export type FromDomains =
  | { readonly kind: 'open' | 'closed' }
  | { readonly kind: 'fault'; readonly message: string }
  | {
      readonly kind: 'answer';
      readonly id: number;
      readonly statusCode: number;
      readonly bytes: Uint8Array;
      readonly isCompressed: boolean;
    };

export const SIMULATED_METRIC = 'requests_total';
export const SIMULATED_INTERVAL_MS = 15_000;

/** As an agent's HTTP: shorter answers go as they are. */
const COMPRESS_BYTES_MIN = 512;

/** Nobody leaves a query of a benchmark. */
const NEVER = new AbortController().signal;

let federation: Federation | undefined;

parentPort?.on('message', (message: ToDomains) => {
  handle(message).then(
    (answer) => parentPort!.postMessage(answer),
    (error: unknown) => tell({ kind: 'fault', message: String((error as Error).stack ?? error) }),
  );
});

function tell(message: FromDomains): void {
  parentPort!.postMessage(message);
}

async function handle(message: ToDomains): Promise<FromDomains> {
  if (message.kind === 'open') {
    federation = await openDomains(message.what);
    return { kind: 'open' };
  }
  if (message.kind === 'close') {
    await federation?.close();
    return { kind: 'closed' };
  }
  const { id, endpoint, body, trace } = message;
  const { transport } = federation!.registry[message.domain]!.replicas[0]!;
  const { statusCode, bytes } = await transport.send(endpoint, body, { signal: NEVER, trace });
  const isCompressed = bytes.length >= COMPRESS_BYTES_MIN;
  return { kind: 'answer', id, statusCode, bytes: isCompressed ? zstdCompressSync(bytes) : bytes, isCompressed };
}

async function openDomains({ seed, ...what }: DomainsToOpen): Promise<Federation> {
  const options = { domains: what.domains, shards: 0, egressClass: 'aggregate', features: NO_FEATURES } as const;
  const opened = await openFederation(options);
  const random = randomFrom(seed);
  for (const [i, name] of opened.domains.entries()) await opened.append(i, samplesOf(name, what, random));
  return opened;
}

/** Counters that go up by up to 29 a scrape. */
function samplesOf(domain: string, what: Omit<DomainsToOpen, 'seed'>, random: Random): Batch {
  const { series, groups, samples, endMs } = what;
  const builder = batchBuilder(series * samples);
  for (let i = 0; i < series; i++) {
    const labels = labelsOf({
      __name__: SIMULATED_METRIC,
      domain,
      service: `service-${String(i % groups).padStart(4, '0')}`,
      instance: `10.0.${i >> 8}.${i & 255}:9090`,
    });
    const index = builder.seriesOf(labels);
    let value = 0;
    for (let sample = 0; sample < samples; sample++) {
      value += random.int(0, 29);
      builder.sample(index, endMs - (samples - 1 - sample) * SIMULATED_INTERVAL_MS, value);
    }
  }
  return builder.build();
}
