import type { Border } from '../../../src/border/border.ts';
import { borderTransport } from '../../../src/federationtest/border-transport.ts';
import { openDomain, type Domain } from '../../../src/hub/registry.ts';
import type { Transport } from '../../../src/hub/transport.ts';
import type { DomainStatus } from '../../../src/plan/frames/status-codec.ts';
import type { SeriesColumns } from '../../../src/model/series.ts';
import { parsePolicy } from '../../../src/policy/document.ts';
import { openQueries } from '../../../src/shard/queries.ts';
import { custom, exponential, nativeSeries } from '../../engine/native-series.ts';
import { series } from '../../memory-source.ts';
import type { Random } from '../../random.ts';
import { memoryShards } from '../../shard/memory-shards.ts';
import { playedBook, playedLedger } from '../played-ledger.ts';

export const DOMAIN_LABEL = 'domain';

/** Samples are there from here on, one each 15 s. */
export const START_MS = 1_700_000_000_000;
const STEP_MS = 15_000;
const SAMPLES = 40;

/** A domain that says what it has, over a border as an agent's. */
export interface HonestDomain {
  readonly name: string;
  readonly transport: Transport;
  close(): Promise<void>;
}

export function honestDomain(name: string, random: Random): HonestDomain {
  const text = JSON.stringify({
    version: 1,
    domain: name,
    labels: { permit: ['*'] },
    metrics: [{ match: '*', class: 'open' }],
    default_class: 'sealed',
  });
  const shards = memoryShards(seriesOf(name, random), 1, {
    policies: [{ layers: [{ layer: 'local', source: 'test', text }], domain: name, domainLabel: DOMAIN_LABEL }],
  });
  const queries = openQueries(shards);
  const policy = parsePolicy(text, 'the policy', name, DOMAIN_LABEL);
  const status: DomainStatus = {
    domain: name,
    policyDigest: policy.digest,
    expectedStreams: 3,
    observedStreams: 3,
    settledUntilMs: START_MS + 300_000,
    heldFromMs: START_MS,
    rawBytesHeld: 1_000,
    releasedBytes: 10,
    gaps: [{ fromMs: START_MS - 900_000, toMs: START_MS - 1 }],
    bundleDigest: '',
    bundleVersion: 0,
    policyState: 'in force',
  };
  const border: Border = {
    policy: () => policy,
    ...playedBook(playedLedger(name)),
    data: queries,
    status: () => status,
    coverage: async ({ grid: { steps } }) => {
      const whole = { steps, observed: 3, expected: 3 };
      return steps === 1
        ? [whole]
        : [
            { ...whole, steps: 1 },
            { ...whole, steps: steps - 1 },
          ];
    },
    late: () => ({
      epoch: 'epoch',
      sequence: 4,
      everything: false,
      intervals: [
        { fromMs: START_MS, toMs: START_MS + 59_999 },
        { fromMs: START_MS + 120_000, toMs: START_MS + 179_999 },
      ],
    }),
  };
  return { name, transport: borderTransport(border, () => false), close: () => queries.close() };
}

/** The domain as a hub has it that never asked it before. */
export function reached(name: string, transport: Transport): Domain {
  return openDomain({ name, jurisdiction: 'test' }, [{ url: `in-process:${name}`, transport, heartbeat: transport }]);
}

function seriesOf(domain: string, random: Random): SeriesColumns[] {
  const all: SeriesColumns[] = [];
  for (const job of ['api', 'web']) {
    for (const instance of [`${domain}:1`, `${domain}:2`]) {
      const labels = { domain, job, instance };
      let total = random.int(0, 100);
      const counter = samples(() => (total += random.int(0, 50)));
      const gauge = samples(() => random.pick([random.float(-1e3, 1e3), random.int(-5, 5), 1e15, 0.1]));
      all.push(series({ __name__: 'x_total', ...labels }, counter), series({ __name__: 'g', ...labels }, gauge));
      all.push(
        series(
          { __name__: 'target_info', ...labels, version: `v${random.int(1, 2)}` },
          samples(() => 1),
        ),
      );
      let count = 1;
      const native = samples(() => {
        count += random.int(0, 9);
        return job === 'api'
          ? exponential(2, [
              [1, count],
              [3, 2 * count],
            ])
          : custom(
              [0.5, 1],
              [
                [0, count],
                [2, 1],
              ],
            );
      });
      all.push(nativeSeries({ __name__: 'h', ...labels }, native));
    }
  }
  return all;
}

function samples<T>(next: () => T): [number, T][] {
  return Array.from({ length: SAMPLES }, (_, i) => [START_MS + i * STEP_MS, next()]);
}
