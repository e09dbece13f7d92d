import { expect, test } from 'vitest';
import type { Outcome } from './run.ts';
import { runMain } from './programs.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const CASES = 300;

test(`nothing leaks from a federation of real processes (seed ${SEED})`, { timeout: 180_000 }, async () => {
  const { code, out, err } = await runMain(['--json', '--quick', '--cases', String(CASES), '--seed', String(SEED)]);
  const said = err.split('\n').filter((line) => !line.startsWith('ok ') && !line.startsWith('pending '));
  expect(said.join('\n')).toBe('');
  expect(code).toBe(0);
  const { notices, sent, rows, codes, attempts, pending, canaries, bytes } = JSON.parse(out) as Outcome;
  expect(notices).toEqual([]);
  expect(sent).toBe(CASES);
  // Nobody would learn anything from a border that refuses all, from attempts that were not made, or a world without canaries.
  expect(rows).toBeGreaterThan(10);
  expect(attempts).toBeGreaterThan(300);
  expect(pending).toBeGreaterThan(0);
  expect(canaries).toBeGreaterThan(1_000);
  expect(bytes).toBeGreaterThan(100_000);
  for (const refused of ['class_sealed', 'class_protected', 'label_not_permitted', 'matcher_not_permitted']) {
    expect(codes[refused], refused).toBeGreaterThan(10);
  }
});
