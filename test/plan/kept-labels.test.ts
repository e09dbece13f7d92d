import { expect, it } from 'vitest';
import { keptLabels, labelsText } from '../../src/plan/explain/kept-labels.ts';
import { ALL_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';

it.each([
  ['1', 'none'],
  ['x', 'all'],
  ['x[5m]', 'all'],
  ['-x', 'all but __name__'],
  ['+x', 'all'],
  ['x + 1', 'all but __name__'],
  ['x > 1', 'all'],
  ['1 < bool x', 'all but __name__'],
  ['rate(x[5m])', 'all but __name__'],
  ['last_over_time(rate(x[5m])[5m:])', 'all but __name__'],
  ['sum(x)', 'none'],
  ['sum by (a, b) (x)', 'a, b'],
  ['sum by (a, b) (count by (b, c) (x))', 'b'],
  ['sum without (a) (x)', 'all but a, __name__'],
  ['sum without (a) (sum by (a, b) (x))', 'b'],
  ['sum by (a) (sum without (a, b) (x))', 'none'],
  ['topk(3, sum by (a) (x))', 'a'],
  ['count_values by (a) ("v", x)', 'a, v'],
  ['x * on (a) y', 'a'],
  ['x * ignoring (a) y', 'all but __name__, a'],
  ['sum by (a) (x) * on (a) group_left (b) y', 'a, b'],
  ['x and sum by (a) (y)', 'all'],
  ['sum by (a) (x) or sum by (b) (y)', 'a, b'],
  ['rate(x[5m]) or sum by (b, __name__) (y)', 'all'],
  ['rate(x[5m]) or sum by (b) (y)', 'all but __name__'],
  ['rate(x[5m]) or sum without (c) (y)', 'all but __name__'],
  ['absent(x{a="1", b=~"2", c="3", c!="4"})', 'a'],
  ['histogram_quantile(0.9, rate(x[5m]))', 'all but __name__, le'],
  ['label_replace(sum(x), "a", "b", "c", "d")', 'a'],
  ['vector(1)', 'none'],
  ['scalar(x)', 'none'],
  ['info(rate(x[5m]))', 'all'],
])('%s keeps %s', (text, want) => {
  expect(labelsText(keptLabels(parseExpr(text, ALL_FEATURES)))).toBe(want);
});
