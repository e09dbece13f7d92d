import { newTraceparent } from '../../src/base/traceparent.ts';
import { playedBook, playedLedger } from './played-ledger.ts';
import type { Border } from '../../src/border/border.ts';
import { borderTransport } from '../../src/federationtest/border-transport.ts';
import type { Domain, Federation } from '../../src/hub/registry.ts';
import { openDomain } from '../../src/hub/registry.ts';
import { runQuery, type Query, type QueryResult } from '../../src/hub/query.ts';
import type { SendContext, Transport } from '../../src/hub/transport.ts';
import { instantGrid, rangeGrid } from '../../src/model/grid.ts';
import type { SeriesColumns } from '../../src/model/series.ts';
import type { CoverageQuestion, CoverageRun } from '../../src/plan/frames/coverage-codec.ts';
import { decodeQueryRequest, type FragmentQuery } from '../../src/plan/frames/query-codec.ts';
import type { DomainStatus } from '../../src/plan/frames/status-codec.ts';
import { parsePolicy } from '../../src/policy/document.ts';
import { hubFeatures, NO_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { openQueries } from '../../src/shard/queries.ts';
import { memoryShards } from '../shard/memory-shards.ts';

/** The time that instant queries ask about, and the last of range queries. */
export const NOW_MS = 1_700_000_000_000;

/** A domain in this process: real policy and border over series in memory, with streams and behaviour that a test sets. */
export interface FakeDomain {
  readonly domain: Domain;
  /** What it was asked, oldest first. */
  readonly asked: FragmentQuery[];
  status: Partial<DomainStatus>;
  streams(question: CoverageQuestion): readonly CoverageRun[];
  /** Called for each query; throws, waits or lets the answer through. */
  fault(query: FragmentQuery, context: SendContext): Promise<void> | void;
  close(): Promise<void>;
}

export const refuseConnection = (): never => {
  throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
};

/** Never answers: whoever asks gives up. */
export const hang = (_query: FragmentQuery, { signal }: SendContext): Promise<void> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });

/** `sealed`: metrics that are; all others are open. */
export function fakeDomain(name: string, series: readonly SeriesColumns[], sealed: readonly string[] = []): FakeDomain {
  const policy = JSON.stringify({
    version: 1,
    domain: name,
    labels: { permit: ['*'] },
    metrics: [...sealed.map((match) => ({ match, class: 'sealed' })), { match: '*', class: 'open' }],
    default_class: 'sealed',
  });
  const queries = openQueries(
    memoryShards(series, 1, {
      policies: [{ layers: [{ layer: 'local', source: 'test', text: policy }], domain: name, domainLabel: 'domain' }],
    }),
  );
  const parsed = parsePolicy(policy, 'test', name, 'domain');
  const border: Border = {
    policy: () => parsed,
    ...playedBook(playedLedger(name)),
    data: queries,
    status: () => ({
      domain: name,
      policyDigest: parsed.digest,
      expectedStreams: 10,
      observedStreams: 10,
      settledUntilMs: NOW_MS + 3_600_000,
      heldFromMs: 0,
      rawBytesHeld: 0,
      releasedBytes: 0,
      gaps: [],
      bundleDigest: '',
      bundleVersion: 0,
      policyState: 'in force',
      ...fake.status,
    }),
    coverage: async (question) => fake.streams(question),
    late: () => undefined,
  };
  const inner = borderTransport(border, () => false);
  const transport: Transport = {
    async send(endpoint, body, context) {
      if (endpoint === 'query') {
        const query = decodeQueryRequest(body);
        fake.asked.push(query);
        await fake.fault(query, context);
      }
      return inner.send(endpoint, body, context);
    },
    close: inner.close,
  };
  const way = { url: `in-process:${name}`, transport, heartbeat: transport };
  const fake: FakeDomain = {
    domain: openDomain({ name, jurisdiction: 'TEST' }, [way]),
    asked: [],
    status: {},
    streams: ({ grid, reads }) => [whole(grid.steps, reads.length === 0 ? 0 : 10)],
    fault: () => undefined,
    close: () => queries.close(),
  };
  return fake;
}

function whole(steps: number, streams: number): CoverageRun {
  return { steps, observed: streams, expected: streams };
}

/** How a test asks. */
export interface Asked extends Partial<Pick<Query, 'allowPartial' | 'signal' | 'deadlineMs'>> {
  /** A range query of so many steps, the last one at `NOW_MS`; an instant query where there is none. */
  readonly steps?: number;
  /** Default a minute. */
  readonly stepMs?: number;
}

/** Asks the hub over these domains. */
export function askHub(domains: readonly FakeDomain[], text: string, asked: Asked = {}): Promise<QueryResult> {
  const { steps, stepMs = 60_000, ...rest } = asked;
  const features = hubFeatures(NO_FEATURES);
  const federation: Federation = { registry: domains.map(({ domain }) => domain), domainLabel: 'domain' };
  const query: Query = {
    text,
    expr: parseExpr(text, features),
    grid: steps === undefined ? instantGrid(NOW_MS) : rangeGrid(NOW_MS - (steps - 1) * stepMs, NOW_MS, stepMs),
    lookbackMs: 300_000,
    features,
    deadlineMs: Date.now() + 10_000,
    allowPartial: true,
    signal: new AbortController().signal,
    trace: newTraceparent(),
    ...rest,
  };
  return runQuery(query, federation);
}
