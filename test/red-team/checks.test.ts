import { expect, test } from 'vitest';
import { CHECKS } from './checks.ts';
import { decisionsInSource } from './decisions.ts';
import { runMain } from './programs.ts';

test('every refusal and every checking function of the border is one of the checks that are listed', () => {
  const listed = CHECKS.flatMap(({ decides }) => decides).sort();
  expect(listed).toEqual([...decisionsInSource()].sort());
  expect(new Set(CHECKS.map(({ name }) => name)).size).toBe(CHECKS.length);
});

test('--list-checks names them', async () => {
  const { code, out } = await runMain(['--list-checks']);
  expect(code).toBe(0);
  for (const { name, stops, edits } of CHECKS) {
    expect(out).toMatch(new RegExp(`^${name} +${edits[0].file}`, 'm'));
    expect(out).toContain(stops);
  }
});

test.concurrent.each([0, 1])(
  'each of them is missed when it is taken out (half %d)',
  { timeout: 300_000 },
  async (half) => {
    const names = CHECKS.map(({ name }) => name).filter((_, i) => i % 2 === half);
    const { code, out, err } = await runMain(['--disable', ...names]);
    expect(err).toBe('');
    const said = out.trim().split('\n');
    expect(said.filter((line) => line.endsWith(': nobody noticed'))).toEqual([]);
    expect(said.map((line) => line.split(':')[0])).toEqual(names);
    expect(code).toBe(1);
  },
);

test('a check that nobody has heard of is an error', async () => {
  const { code, err } = await runMain(['--disable', 'no-such-check']);
  expect(code).toBe(2);
  expect(err).toContain('there is no check no-such-check');
});
