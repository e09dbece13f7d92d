import { expect, it } from 'vitest';
import { lanes, type Lane } from '../../src/shard/lanes.ts';

/** Asks all at once, in this order, and says in which order they are answered. */
async function check(asked: readonly (readonly [Lane, string])[], want: string): Promise<void> {
  const inTurn = lanes();
  const done: string[] = [];
  let underWay = 0;
  const all = asked.map(([lane, name]) =>
    inTurn.run(lane, async () => {
      expect(++underWay, 'one at a time').toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      done.push(name);
      underWay--;
      if (name.endsWith('!')) throw new Error(name);
      return name;
    }),
  );
  const outcomes = await Promise.allSettled(all);
  const said = outcomes.map((one) => (one.status === 'fulfilled' ? one.value : (one.reason as Error).message));
  expect(said).toEqual(asked.map(([, name]) => name));
  expect(done.join(' ')).toBe(want);
}

it.each<[string, [Lane, string][], string]>([
  [
    'in order within a lane',
    [
      ['heavy', 'a'],
      ['heavy', 'b'],
      ['heavy', 'c'],
    ],
    'a b c',
  ],
  [
    'lane after lane',
    [
      ['heavy', 'a'],
      ['heavy', 'b'],
      ['heavy', 'c'],
      ['own', 'x'],
      ['light', 'p'],
      ['own', 'y'],
    ],
    'a x p b y c',
  ],
  [
    'light ones before heavy ones that came earlier',
    [
      ['heavy', 'a'],
      ['heavy', 'b'],
      ['light', 'p'],
      ['light', 'q'],
    ],
    'a p b q',
  ],
  [
    'own ones do not keep hubs out',
    [
      ['own', 'x'],
      ['own', 'y'],
      ['own', 'z'],
      ['heavy', 'a'],
    ],
    'x a y z',
  ],
  [
    'what fails holds nobody up',
    [
      ['heavy', 'a!'],
      ['own', 'x!'],
      ['heavy', 'b'],
    ],
    'a! x! b',
  ],
])('%s', (_what, asked, want) => check(asked, want));

it('goes on after a pause', async () => {
  const inTurn = lanes();
  expect(await inTurn.run('own', async () => 1)).toBe(1);
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(await inTurn.run('own', async () => 2)).toBe(2);
});
