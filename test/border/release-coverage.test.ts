import { expect, test } from 'vitest';
import type { Border } from '../../src/border/border.ts';
import { releaseQuery } from '../../src/border/release.ts';
import { instantGrid } from '../../src/model/grid.ts';
import type { CoverageQuestion, LateKnown } from '../../src/plan/frames/coverage-codec.ts';
import { decodeQueryAnswer, decodeQueryRequest, encodeQueryRequest } from '../../src/plan/frames/query-codec.ts';
import { newRequestId } from '../../src/plan/frames/request-id.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { openQueries } from '../../src/shard/queries.ts';
import { series } from '../memory-source.ts';
import { memoryShards } from '../shard/memory-shards.ts';
import { borderOver, hubFragments, readingBy } from './domain.ts';
import { answerIn, ASKED } from './records.ts';

const POLICY = `
version: 1
domain: eu
labels: {permit: []}
metrics: [{match: open_*, class: open}, {match: secret_*, class: sealed}, {match: few_*, min_series: 3}]
`;

const HELD = [series({ __name__: 'open_m', job: 'a', domain: 'eu' }, [[30_000, 1]])];
const GRID = instantGrid(60_000);
const FOREVER = new AbortController().signal;

/** What a border is asked and reads for one request, in order. */
async function released(coverage: readonly CoverageQuestion[], since: LateKnown, changes: Partial<Border> = {}) {
  const calls: string[] = [];
  const queries = openQueries(memoryShards(HELD, 1, readingBy(POLICY)));
  const plain = borderOver(queries, POLICY);
  const border: Border = {
    ...plain,
    data: {
      ...queries,
      fragment(question, signal) {
        calls.push('samples');
        return queries.fragment(question, signal);
      },
    },
    status() {
      calls.push('watermark');
      return plain.status();
    },
    async coverage({ grid, reads }) {
      calls.push(`coverage of ${reads.map(({ metric }) => `'${metric}'`).join(' ')}`);
      return [{ steps: grid.steps, observed: 1, expected: 2 }];
    },
    late(known) {
      calls.push(`late since ${known.epoch} ${known.sequence}`);
      return { epoch: 'e', sequence: 9, everything: false, intervals: [{ fromMs: 1, toMs: 2 }] };
    },
    ...changes,
  };
  const fragments = hubFragments('open_m');
  const request = { id: newRequestId(), lookbackMs: 300_000, timeLeftMs: 10_000, features: NO_FEATURES, fragments };
  const asked = { ...request, coverage, since };
  const answer = await releaseQuery(decodeQueryRequest(encodeQueryRequest(asked)), ASKED, border, FOREVER);
  await queries.close();
  return { calls, answer: decodeQueryAnswer(Buffer.from(answerIn(answer)), asked) };
}

function question(...metrics: string[]): CoverageQuestion {
  return { grid: GRID, reads: metrics.map((metric) => ({ metric, fromMs: -1_000, toMs: 0, fixed: false })) };
}

test('what is settled, late and covered is told as it was before the samples are read', async () => {
  const { calls, answer } = await released([question('open_m')], { epoch: 'e', sequence: 7 });
  expect(calls).toEqual(['watermark', 'late since e 7', "coverage of 'open_m'", 'samples']);
  expect(answer.late).toEqual({ epoch: 'e', sequence: 9, everything: false, intervals: [{ fromMs: 1, toMs: 2 }] });
  expect(answer.coverage).toEqual([{ runs: [{ steps: 1, observed: 1, expected: 2 }], suppressible: false }]);
});

test('the name of a sealed metric is nothing that streams are counted by', async () => {
  const { calls } = await released([question('secret_revenue', 'open_m', 'others_m')], { epoch: '', sequence: 0 });
  expect(calls).toContain("coverage of '' 'open_m' 'others_m'");
});

test.each<[string, readonly string[], string, boolean]>([
  ['whose small groups stay', ['few_m', 'open_m'], "'' 'open_m'", true],
  ['that is any, some of which do', [''], "''", true],
  ['whose groups all leave', ['open_m', 'others_m'], "'open_m' 'others_m'", false],
])('a metric %s: by the policy alone', async (_, metrics, counted, suppressible) => {
  const { calls, answer } = await released([question(...metrics)], { epoch: '', sequence: 0 });
  expect(calls).toContain(`coverage of ${counted}`);
  expect(answer.coverage).toMatchObject([{ suppressible }]);
});

test('a domain that keeps no record of late samples says so', async () => {
  const { answer } = await released([], { epoch: '', sequence: 0 }, { late: () => undefined });
  expect(answer.late).toBeUndefined();
  expect(answer.coverage).toEqual([]);
});
