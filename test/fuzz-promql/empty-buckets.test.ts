import { expect, test } from 'vitest';
import type { Data } from './answer.ts';
import { withoutEmptyBuckets } from './empty-buckets.ts';
import { call, literal, print, type Node } from './grammar.ts';
import { judgeAnswers } from './judge.ts';

const x: Node = { kind: 'selector', name: 'x', matchers: [], time: {} };
const quantile = call('histogram_quantile', literal('0.5'), x);

test.each<[node: Node, want: string | undefined]>([
  [quantile, 'histogram_quantile(0.5, (x * 1))'],
  [call('abs', call('histogram_fraction', literal(0), literal(1), x)), 'abs(histogram_fraction(0, 1, (x * 1)))'],
  [call('histogram_quantiles', x, literal('"q"'), literal('0.5')), 'histogram_quantiles((x * 1), "q", 0.5)'],
  [call('histogram_sum', x), undefined],
])('what reads buckets is given none that are empty: %#', (node, want) => {
  const changed = withoutEmptyBuckets(node);
  expect(changed === undefined ? undefined : print(changed)).toBe(want);
});

function answer(value: number): Data {
  const row = { key: '{}', labels: new Map<string, string>(), points: new Map([[1000, value]]) };
  return { kind: 'data', resultType: 'vector', rows: [row], warnings: [], infos: [] };
}

/** Two answers, and those of the same programs without empty buckets. */
test.each<[what: string, want: number, got: number, compactWant: number, compactGot: number, verdict: string]>([
  ['Prometheus has an empty bucket more', 1, 2, 2, 2, 'equal'],
  ['the other side has an empty bucket more', 1, 2, 1, 1, 'equal'],
  ['they differ without empty buckets too', 1, 2, 1, 2, 'wrong'],
])('%s', async (_what, want, got, compactWant, compactGot, verdict) => {
  const none = async (): Promise<undefined> => undefined;
  const judged = await judgeAnswers(
    { node: quantile, when: { kind: 'instant', timeMs: 1000 } },
    answer(want),
    answer(got),
    {
      ask: async (node) => (print(node).includes('(x * 1)') ? answer(compactWant) : undefined),
      askTried: async () => answer(compactGot),
      again: async () => [],
      hasTwins: async () => false,
      byInstants: none,
    },
  );
  expect(judged.kind).toBe(verdict);
});
