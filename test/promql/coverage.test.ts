import { describe, expect, it } from 'vitest';
import { astJson } from '../../src/api/ast-json.ts';
import { ALL_FEATURES, ALL_HUB_FEATURES, FEATURE_NAMES, hubFeatures, NO_FEATURES } from '../../src/promql/features.ts';
import { formatExpr } from '../../src/promql/format.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { printExpr } from '../../src/promql/print.ts';

const HUB = hubFeatures(NO_FEATURES);

describe('coverage() where a hub offers it', () => {
  it.each([
    'coverage(x)',
    'coverage(sum by (job) (rate(x[5m])) > 0)',
    'coverage(1)',
    'coverage(scalar(x))',
    'sum(x) and on () (min(coverage(x)) > 0.9)',
    'min_over_time(coverage(rate(x[5m]))[1h:1m])',
    'topk(1, -coverage(x)) or coverage(y)',
    // A metric of that name, or a label, is what it is.
    'coverage',
    'coverage{coverage="coverage"} + sum by (coverage) (coverage(coverage))',
  ])('%s', (text) => {
    const expr = parseExpr(text, HUB);
    expect(printExpr(parseExpr(printExpr(expr), HUB))).toBe(printExpr(expr));
    expect(formatExpr(text, HUB)).toBe(text);
  });

  it.each([
    ['coverage()', '1:1: parse error: expected 1 argument(s) in call to "coverage", got 0'],
    ['coverage(x, y)', '1:1: parse error: expected 1 argument(s) in call to "coverage", got 2'],
    [
      '1 + coverage(rate(x[5m:1m])[1h:])',
      '1:14: parse error: expected type instant vector or scalar in call to function "coverage", got range vector; leave out its range',
    ],
    [
      'coverage("x")',
      '1:10: parse error: expected type instant vector or scalar in call to function "coverage", got string',
    ],
    [
      'coverage(sum(x) +\n coverage(y))',
      '2:2: parse error: call to function "coverage" must not stand inside another: it reads no series',
    ],
    ['coverage(x)[5m]', '1:12: parse error: ranges only allowed for vector selectors'],
    [
      'rate(coverage(x))',
      '1:6: parse error: expected type range vector in call to function "rate", got instant vector',
    ],
    ['coverge(x)', '1:1: parse error: unknown function with name "coverge"; did you mean "coverage"?'],
    ['Coverage(x)', '1:1: parse error: unknown function with name "Coverage"; did you mean "coverage"?'],
  ])('%s: %s', (text, message) => {
    expect(() => parseExpr(text, HUB)).toThrow(message);
  });

  it('parse_query knows it', () => {
    const func = { name: 'coverage', argTypes: ['vector'], variadic: 0, returnType: 'vector' };
    expect(astJson(parseExpr('coverage(x)', HUB), 'coverage(x)')).toMatchObject({ type: 'call', func });
  });
});

describe('coverage() anywhere else', () => {
  it.each([
    ['coverage(x)', '1:1: parse error: unknown function with name "coverage"'],
    ['sum(coverage(x))', '1:5: parse error: unknown function with name "coverage"'],
  ])('%s: %s', (text, message) => {
    for (const features of [NO_FEATURES, ALL_FEATURES]) expect(() => parseExpr(text, features)).toThrow(message);
  });

  it('is not suggested', () => {
    expect(() => parseExpr('coverge(x)', ALL_FEATURES)).toThrow(/"coverge"$/);
  });

  it('has no name by which it could be enabled', () => {
    expect(ALL_FEATURES.coverageFunction).toBe(false);
    expect(ALL_HUB_FEATURES.coverageFunction).toBe(true);
    expect(FEATURE_NAMES.join(' ')).not.toMatch(/coverage/);
  });
});
