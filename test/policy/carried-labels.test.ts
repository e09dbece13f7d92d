import { expect, it } from 'vitest';
import { labelsOf } from '../../src/model/labels.ts';
import { carriedLabels } from '../../src/policy/carried-labels.ts';
import { ALL_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';

const HELD = [labelsOf({ __name__: 'x', a: '1' }), labelsOf({ __name__: 'x', b: '1' })];

it.each<[string, string[]]>([
  ['x', ['__name__', 'a', 'b']],
  ['rate(x[5m])', ['__name__', 'a', 'b']],
  ['sum(x)', []],
  ['sum by (a, c) (x)', ['a', 'c']],
  ['sum without (a) (x)', ['__name__', 'b']],
  ['topk by (a) (1, x)', ['__name__', 'a', 'b']],
  ['limit_ratio(0.5, sum by (a) (x))', ['a']],
  ['count_values by (a) ("v", x)', ['a', 'v']],
  ['quantile by (a) (0.5, x)', ['a']],
  ['label_replace(sum by (a) (x), "t", "$1", "a", "(.*)")', ['a', 't']],
  ['sum by (a) (x) * on (a) group_left (c) sum by (a, c) (x)', ['a', 'c']],
])('%s carries %j', (query, want) => {
  expect([...carriedLabels(parseExpr(query, ALL_FEATURES), () => HELD)].sort()).toEqual(want);
});
