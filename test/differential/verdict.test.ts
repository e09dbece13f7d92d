import { expect, test } from 'vitest';
import { readAnswer, type Answer } from './answer.ts';
import { aggregate, number, selector } from '../../src/federationtest/tree.ts';
import { judge, termLookup } from './verdict.ts';

const metric = selector([{ name: '__name__', op: '=', value: 'm' }]);
const topTwo = aggregate('topk', metric, { without: false, labels: [] }, number(2));
const complete = { complete: true, domains: [{ domain: 'a', status: 'ok' }] };

/** A vector at one time; each series has the label `s`. */
function vector(values: Readonly<Record<string, string>>, coverage?: unknown): Answer {
  const result = Object.entries(values).map(([s, value]) => ({ metric: { __name__: 'm', s }, value: [1, value] }));
  return readAnswer(200, JSON.stringify({ status: 'success', data: { resultType: 'vector', result, coverage } }));
}

function failure(status: number, error: string): Answer {
  return readAnswer(status, JSON.stringify({ status: 'error', errorType: 'execution', error }));
}

function partial(status: string, reason: string): Answer {
  return vector({ x: '1' }, { complete: false, domains: [{ domain: 'a', status, reason }] });
}

test.for<[what: string, want: Answer, got: Answer, verdict: string]>([
  ['an equal answer', vector({ x: '1' }), vector({ x: '1' }, complete), 'equal'],
  ['another value', vector({ x: '1' }), vector({ x: '2' }, complete), 'wrong'],
  ['no coverage', vector({ x: '1' }), vector({ x: '1' }), 'wrong'],
  ['a silent domain', vector({ x: '1' }), partial('unreachable', 'connection refused'), 'wrong'],
  ['a refusal', vector({ x: '1' }), failure(422, 'refused: m (1:1): sealed'), 'refused'],
  ['what is not built yet', vector({ x: '1' }), failure(422, 'unsupported: subqueries'), 'refused'],
  ['a refusal with another status', vector({ x: '1' }), failure(500, 'refused: m (1:1): sealed'), 'wrong'],
  ['a domain’s refusal', vector({ x: '1' }), partial('refused', 'refused: m (1:1): sealed'), 'refused'],
  ['a domain’s error', failure(422, 'many-to-many'), partial('refused', 'domain a: many-to-many'), 'wrong'],
  ['an error instead of an answer', vector({ x: '1' }), failure(422, 'many-to-many'), 'wrong'],
  ['an answer instead of an error', failure(422, 'many-to-many'), vector({}, complete), 'wrong'],
  ['errors on both sides', failure(422, 'many-to-many'), failure(422, 'in other words'), 'equal'],
])('%s', async ([, want, got, verdict]) => {
  expect((await judge(metric, want, got, () => Promise.resolve(undefined))).kind).toBe(verdict);
});

test('asks for the terms only where finite values differ, and by labels without the metric’s name', async () => {
  let asked = 0;
  const terms = termLookup(vector({ x: '1e16' }));
  const ask = (): Promise<typeof terms> => {
    asked++;
    return Promise.resolve(terms);
  };
  expect((await judge(metric, vector({ x: '1' }), vector({ x: '1' }, complete), ask)).kind).toBe('equal');
  expect(asked).toBe(0);
  expect((await judge(metric, vector({ x: '1' }), vector({ x: '9' }, complete), ask)).kind).toBe('equal');
  expect((await judge(metric, vector({ x: '1' }), vector({ x: '99' }, complete), ask)).kind).toBe('wrong');
  expect(asked).toBe(2);
});

test('takes any of the tied at the root of a topk', async () => {
  const none = (): Promise<undefined> => Promise.resolve(undefined);
  const want = vector({ x: '9', y: '5' });
  expect((await judge(topTwo, want, vector({ x: '9', z: '5' }, complete), none)).kind).toBe('equal');
  expect((await judge(metric, want, vector({ x: '9', z: '5' }, complete), none)).kind).toBe('wrong');
});
