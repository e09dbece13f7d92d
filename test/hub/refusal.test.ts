import { describe, expect, it } from 'vitest';
import { explainPlanRefusal, explainRefusal, type RefusalContext, type RefusedError } from '../../src/hub/refusal.ts';
import { instantGrid } from '../../src/model/grid.ts';
import { distribute } from '../../src/plan/distribute.ts';
import type { Refusal } from '../../src/plan/frames/refusal-codec.ts';
import { PlanRefusal } from '../../src/plan/refusal.ts';
import { parseExpr } from '../../src/promql/parse.ts';

const GRID = instantGrid(1_700_000_000_000);

function contextOf(text: string, approx?: number): RefusalContext {
  const query = { text, expr: parseExpr(text), grid: GRID, approx };
  return { query, domainLabel: 'domain', domains: ['eu', 'us'], refusals: [] };
}

/** What is said when eu refuses the first fragment of a query. */
function refusedWith(text: string, refusal: Refusal, approx?: number): RefusedError {
  const context = contextOf(text, approx);
  const [fragment] = distribute(context.query.expr, GRID, { domainLabel: 'domain', approx }).fragments;
  const refused = { domain: 'eu', fragment: fragment!, refusal };
  return explainRefusal(refused, { ...context, refusals: [refused] });
}

describe('a refusal in words', () => {
  it.each<[string, Refusal, string, string]>([
    [
      'x',
      { code: 'class_aggregate', name: 'x', node: 0 },
      'refused',
      'refused: x (1:1): metric x is of class aggregate in domain eu, so its series may not leave, only aggregates of them. ' +
        'What works: sum by (job) (x)',
    ],
    [
      '1 +\n  rate(x[5m])',
      { code: 'class_aggregate', name: 'x', node: 4 },
      'refused',
      'refused: x (2:8): metric x is of class aggregate in domain eu, so its series may not leave, only aggregates of them. ' +
        'What works: 1 + sum by (job) (rate(x[5m]))',
    ],
    [
      'quantile(0.9, x)',
      { code: 'class_aggregate', name: 'x' },
      'refused',
      'refused: x (1:15): metric x is of class aggregate in domain eu, so its series may not leave, only aggregates of them. ' +
        'What works: quantile(0.9, sum by (job) (x)); or the same with approx=0.01, where the policy lists quantile',
    ],
    [
      'sum(topk(1, x))',
      { code: 'operator_not_permitted', name: 'topk', node: 0 },
      'refused',
      'refused: topk(1, x) (1:5): the policy of domain eu does not list topk for what it selects, which would show single ' +
        'series or values. What works: sum(topk(1, sum by (job) (x)))',
    ],
    [
      'max(x)',
      { code: 'operator_not_permitted', name: 'max', node: 0 },
      'refused',
      'refused: max(x) (1:1): the policy of domain eu does not list max for what it selects. What works: avg(x)',
    ],
    [
      'sum(x or y)',
      { code: 'operator_not_permitted', name: 'or', node: 1 },
      'refused',
      'refused: x or y (1:5): domain eu lets groups of several series out alone, and with or below the aggregation they ' +
        'cannot be counted',
    ],
    [
      'sum(x)',
      { code: 'class_protected', name: 'x', node: 1 },
      'refused',
      'refused: x (1:5): metric x is of class protected in domain eu, and leaves in no form yet. What works: sum(x{domain!="eu"})',
    ],
    [
      'sum({job="a"})',
      { code: 'class_protected', name: '', node: 1 },
      'refused',
      'refused: {job="a"} (1:5): it could select metrics that domain eu protects, which leave in no form yet. ' +
        'What works: sum({job="a",domain!="eu"})',
    ],
    [
      'sum(x)',
      { code: 'policy_denied', name: 'expired' },
      'refused',
      'refused: sum(x) (1:1): nothing leaves domain eu: its policy has expired. What works: sum(x{domain!="eu"})',
    ],
    [
      'sum(x)',
      { code: 'vetoed', name: '' },
      'refused',
      'refused: sum(x) (1:1): the policy service of domain eu does not allow it, or did not answer. What works: sum(x{domain!="eu"})',
    ],
    [
      'sum(x{domain="eu"})',
      { code: 'budget', name: 'bytes_per_day' },
      'refused',
      'refused: sum(x{domain="eu"}) (1:1): what domain eu lets out in a day has left today (bytes_per_day). Ask again tomorrow (UTC)',
    ],
    [
      'sum by (a) (x)',
      { code: 'limit', name: 'answer_rows' },
      'limit',
      'limit: sum by (a) (x) (1:1): its answer has more rows than the policy of domain eu lets out at once (answer_rows). ' +
        'Narrow its selectors or raise the step',
    ],
    [
      'sum by (a) (x)',
      { code: 'limit', name: 'label_values' },
      'limit',
      'limit: sum by (a) (x) (1:1): its answer has more values of one label than domain eu lets out of labels that its policy ' +
        'does not list. Narrow its selectors or raise the step',
    ],
    [
      'sum(x)',
      { code: 'class_sealed', name: 'x', node: 1 },
      'refused',
      'refused: x (1:5): metric x is sealed in domain eu: nothing of it leaves. What works: sum(x{domain!="eu"})',
    ],
    [
      'sum(x{domain="eu"})',
      { code: 'class_sealed', name: 'x', node: 1 },
      'refused',
      'refused: x{domain="eu"} (1:5): metric x is sealed in domain eu: nothing of it leaves. Leave it out',
    ],
    [
      'sum({job="a"})',
      { code: 'class_sealed', name: '', node: 1 },
      'refused',
      'refused: {job="a"} (1:5): it could select metrics that domain eu seals; metrics by their exact names tell which. ' +
        'What works: sum({job="a",domain!="eu"})',
    ],
    [
      'sum by (user, job) (x)',
      { code: 'label_not_permitted', name: 'user', node: 0 },
      'refused',
      'refused: sum by (user, job) (x) (1:1): label user may not leave domain eu. What works: sum by (job) (x)',
    ],
    [
      'up',
      { code: 'label_not_permitted', name: 'user' },
      'refused',
      'refused: up (1:1): label user may not leave domain eu. What works: sum without (user) (up)',
    ],
    [
      'up or sum by (user) (x)',
      { code: 'label_not_permitted', name: 'user' },
      'refused',
      'refused: up (1:1): label user may not leave domain eu. What works: sum without (user) (up) or sum(x)',
    ],
    [
      'sum(x * x)',
      { code: 'label_not_permitted', name: 'user', node: 1 },
      'refused',
      'refused: x * x (1:5): label user may not leave domain eu. What works: sum(sum without (user) (x) * sum without (user) (x))',
    ],
    [
      'sum(x{user="a"})',
      { code: 'matcher_not_permitted', name: 'user', node: 1 },
      'refused',
      'refused: x{user="a"} (1:5): label user cannot be matched on in domain eu. What works, over every user: sum(x)',
    ],
    [
      'sum(x{user="a"} / x)',
      { code: 'matcher_not_permitted', name: 'user', node: 2 },
      'refused',
      'refused: x{user="a"} (1:5): label user cannot be matched on in domain eu. Match on labels that may leave: ' +
        'GET /api/v1/labels lists them',
    ],
    [
      'sum(x + on (domain, i) y)',
      { code: 'undecided', name: '' },
      'refused',
      'refused: sum(x + on (domain, i) y) (1:1): series on one side of a match are not unique in domain eu, which is an error ' +
        'only if the other side has series in some domain, and its series may not leave to find out. ' +
        'What works: sum(sum by (domain, i) (x) + on (domain, i) sum by (domain, i) (y))',
    ],
    [
      'sum(x)',
      { code: 'unsupported', name: 'function foo', node: 0 },
      'unsupported',
      'unsupported: sum(x) (1:1): domain eu cannot evaluate function foo. What works: sum(x{domain!="eu"})',
    ],
    [
      'sum(x)',
      { code: 'source_unavailable', name: '' },
      'unavailable',
      'unavailable: sum(x) (1:1): the server that domain eu keeps its series in does not answer. What works: sum(x{domain!="eu"})',
    ],
    ['sum(x)', { code: 'timeout', name: '' }, 'timeout', 'timeout: sum(x) (1:1): it ran out of time in domain eu'],
    [
      'sum(x)',
      { code: 'limit', name: '' },
      'limit',
      'limit: sum(x) (1:1): it passes a limit of domain eu. Narrow its selectors or raise the step',
    ],
    [
      'sum(x + y)',
      { code: 'execution', name: '', node: 1 },
      'execution',
      'execution: x + y (1:5): it cannot be evaluated in domain eu: of the two sides of + series do not match one to one, or ' +
        'dropping the metric name makes two series the same (vector cannot contain metrics with the same labelset)',
    ],
  ])('%s: %j', (text, refusal, code, message) => {
    const error = refusedWith(text, refusal);
    expect([error.code, error.reason]).toEqual([code, refusal.code]);
    expect(error.message).toBe(message);
    expect(error.message.startsWith(error.why)).toBe(true);
  });

  it('says which error a sketch may have', () => {
    const refusal = { code: 'limit', name: 'quantile', node: 0 } as const;
    expect(refusedWith('quantile(0.9, x)', refusal, 0.0001).message).toBe(
      'limit: quantile(0.9, x) (1:1): a sketch so fine would show the values themselves, which domain eu does not let out. ' +
        'What works: quantile(0.9, x) with approx=0.01',
    );
  });

  it('speaks of the sketch only to those who did not ask for one', () => {
    const refusal = { code: 'operator_not_permitted', name: 'quantile', node: 0 } as const;
    expect(refusedWith('quantile(0.9, x)', refusal, 0.05).message).not.toContain('the same with');
  });

  it.each([
    [
      'up[5m]',
      'range_vector',
      'refused: up[5m] (1:1): a range vector is raw samples, and those never leave their domain. What works: last_over_time(up[5m])',
    ],
    [
      'predict_linear(up[1h], scalar(up))',
      'series_parameter',
      'refused: predict_linear(up[1h], scalar(up)) (1:1): its parameter is worked out from series of all domains, and the ' +
        'samples that it is for never leave theirs. What works: predict_linear(up[1h:1m], scalar(up))',
    ],
  ])('of the planner: %s', (text, reason, message) => {
    let refusal: unknown;
    try {
      distribute(parseExpr(text), GRID, { domainLabel: 'domain' });
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toBeInstanceOf(PlanRefusal);
    const error = explainPlanRefusal(refusal as PlanRefusal, contextOf(text));
    // What the planner shows of the node is without what normalising made of it.
    expect([error.reason, error.message]).toEqual([reason, message]);
  });

  it('takes every refusal of a query into account', () => {
    const text = 'sum by (user) (x) / sum(y)';
    const context = contextOf(text);
    const { fragments } = distribute(context.query.expr, GRID, { domainLabel: 'domain' });
    const refusals = [
      { domain: 'eu', fragment: fragments[0]!, refusal: { code: 'label_not_permitted', name: 'user', node: 0 } },
      { domain: 'us', fragment: fragments[1]!, refusal: { code: 'class_sealed', name: 'y', node: 1 } },
    ] as const;
    const error = explainRefusal(refusals[0], { ...context, refusals });
    expect(error.nearest?.text).toBe('sum(x{domain!="us"}) / sum(y{domain!="us"})');
  });
});
