import { expect, test } from 'vitest';
import type { Case } from './generator.ts';
import { shrinkCase } from './shrink.ts';
import { aggregate, binary, call, number, range, selector } from '../../src/federationtest/tree.ts';

const name = { name: '__name__', op: '=', value: 'm' } as const;
const job = { name: 'job', op: '=', value: 'j' } as const;
const rate = call('rate', range(selector([name, job], 5_000), 60_000));
const given: Case = {
  expr: binary('+', aggregate('sum', rate, { without: false, labels: ['a', 'b'] }), number(1)),
  when: { kind: 'range', startMs: 0, endMs: 3_000, stepMs: 1_000 },
};

test('shrinks to the part and the step that fail', async () => {
  // Fails wherever `rate` of a range is there and the time 2,000 is asked for.
  const shrunk = await shrinkCase(given, ({ expr, when }) => {
    const asked = when.kind === 'instant' ? when.timeMs === 2_000 : true;
    const text = JSON.stringify(expr);
    return Promise.resolve(asked && text.includes('"rate"') && text.includes('"matrix"'));
  });
  expect(shrunk).toEqual({
    expr: call('rate', range(selector([name]), 60_000)),
    when: { kind: 'instant', timeMs: 2_000 },
  });
});

test('keeps a case that fails only whole', async () => {
  expect(await shrinkCase(given, () => Promise.resolve(false))).toBe(given);
});
