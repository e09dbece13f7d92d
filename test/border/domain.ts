import type { Border } from '../../src/border/border.ts';
import { releaseLabels } from '../../src/border/release-lists.ts';
import { releaseExplain, releaseQuery } from '../../src/border/release.ts';
import { instantGrid, type QueryGrid } from '../../src/model/grid.ts';
import type { SeriesColumns } from '../../src/model/series.ts';
import { distribute, type Fragment } from '../../src/plan/distribute.ts';
import { decodeExplainAnswer, type Verdict } from '../../src/plan/frames/explain-codec.ts';
import {
  decodeQueryAnswer,
  decodeQueryRequest,
  encodeQueryRequest,
  type FragmentAnswer,
} from '../../src/plan/frames/query-codec.ts';
import { decodeLabelsAnswer, type LabelsQuery } from '../../src/plan/frames/labels-codec.ts';
import { normalise } from '../../src/plan/normalise.ts';
import type { DomainStatus } from '../../src/plan/frames/status-codec.ts';
import { parsePolicy, type PolicyTexts } from '../../src/policy/document.ts';
import { ALL_FEATURES, NO_FEATURES, type PromqlFeatures } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { openQueries, type QueryShard } from '../../src/shard/queries.ts';
import { ASKED_BESIDE, REQUEST_ID } from '../plan/beside.ts';
import { memoryShards } from '../shard/memory-shards.ts';
import { answerIn, ASKED, recordsInMemory } from './records.ts';

/** The time that tests ask about. */
const NOW_MS = 60_000;
const GRID = instantGrid(NOW_MS);

const STATUS: DomainStatus = {
  domain: 'eu',
  policyDigest: 'd',
  expectedStreams: 1,
  observedStreams: 1,
  settledUntilMs: 0,
  heldFromMs: 0,
  rawBytesHeld: 0,
  releasedBytes: 0,
  gaps: [],
  bundleDigest: '',
  bundleVersion: 0,
  policyState: 'in force',
};

/** What shards need to know to hand anything out. */
export function readingBy(policy: string): { readonly policies: readonly PolicyTexts[] } {
  const layers = [{ layer: 'local' as const, source: 'test', text: policy }];
  return { policies: [{ layers, domain: 'eu', domainLabel: 'domain' }] };
}

export function borderOver(data: Border['data'], policy: string): Border {
  const parsed = parsePolicy(policy, 'test', 'eu', 'domain');
  return {
    policy: () => parsed,
    recorder: recordsInMemory(),
    data,
    status: () => STATUS,
    coverage: async ({ grid }) => [{ steps: grid.steps, observed: 1, expected: 1 }],
    late: () => undefined,
  };
}

/** The fragments that a hub makes of a query. */
export function hubFragments(text: string, grid: QueryGrid = GRID): readonly Fragment[] {
  return distribute(parseExpr(text, ALL_FEATURES), grid, { domainLabel: 'domain' }).fragments;
}

/** A query as one fragment, as a hub in bad faith could send it: `text`, or `partial …`, `timed …`, `sketch <error> …`. */
export function anyFragment(asked: string, grid: QueryGrid = GRID): Fragment {
  const [, answer = 'vector', error, text] = /^(?:(partial|timed|sketch) (?:([0-9.e-]+) )?)?(.*)$/s.exec(asked)!;
  const expr = normalise(parseExpr(text!, ALL_FEATURES), grid);
  // It may be none; whoever reads it finds out.
  return { answer, expr, grid, relativeError: Number(error) } as unknown as Fragment;
}

export interface Answered {
  readonly bytes: Buffer;
  readonly fragments: readonly FragmentAnswer[];
}

/** One domain's border, asked in bytes as a hub asks. */
export interface TestDomain {
  ask(fragments: readonly Fragment[], features?: PromqlFeatures): Promise<Answered>;
  explain(fragments: readonly Fragment[]): Promise<readonly Verdict[]>;
  labels(query: LabelsQuery): Promise<object>;
  close(): Promise<void>;
}

const FOREVER = new AbortController().signal;

/** A domain over shards that read by its policy. */
export function testDomain(
  policy: string,
  shards: readonly SeriesColumns[] | (() => readonly QueryShard[]),
  watched: (data: Border['data']) => Border['data'] = (data) => data,
): TestDomain {
  const queries = openQueries(typeof shards === 'function' ? shards() : memoryShards(shards, 1, readingBy(policy)));
  const border = borderOver(watched(queries), policy);
  const request = (fragments: readonly Fragment[], features: PromqlFeatures) =>
    decodeQueryRequest(
      encodeQueryRequest({ lookbackMs: 300_000, timeLeftMs: 10_000, features, fragments, ...ASKED_BESIDE }),
    );
  return {
    async ask(fragments, features = NO_FEATURES) {
      const released = await releaseQuery(request(fragments, features), ASKED, border, FOREVER);
      const bytes = Buffer.from(answerIn(released));
      return { bytes, fragments: decodeQueryAnswer(bytes, { ...ASKED_BESIDE, fragments }).fragments };
    },
    async explain(fragments) {
      const released = await releaseExplain(request(fragments, NO_FEATURES), ASKED, border, FOREVER);
      return decodeExplainAnswer(answerIn(released), { fragments, id: REQUEST_ID }).verdicts;
    },
    async labels(query) {
      const request = { ...query, id: REQUEST_ID };
      const released = await releaseLabels(request, ASKED, border, FOREVER);
      const { status: _status, id: _id, ...rest } = decodeLabelsAnswer(answerIn(released), { ...request, limit: 50 });
      return rest;
    },
    close: () => queries.close(),
  };
}
