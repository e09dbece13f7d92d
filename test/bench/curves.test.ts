import { expect, test } from 'vitest';
import { curvesSvg, decades, slopeOf } from '../../bench/curves.ts';

test.each<[string, readonly (readonly [number, number])[], number | undefined]>([
  [
    'linear',
    [
      [1, 5],
      [10, 50],
      [1_000, 5_000],
    ],
    1,
  ],
  [
    'flat',
    [
      [1, 7],
      [10, 7],
      [100, 7],
    ],
    0,
  ],
  [
    'the square',
    [
      [1, 1],
      [3, 9],
      [10, 100],
    ],
    2,
  ],
  ['a single point', [[3, 4]], undefined],
  [
    'one x alone',
    [
      [3, 4],
      [3, 5],
    ],
    undefined,
  ],
])('slope of %s', (_, points, want) => {
  const slope = slopeOf(points);
  if (want === undefined) expect(slope).toBe(undefined);
  else expect(slope).toBeCloseTo(want, 12);
});

test.each<[readonly number[], from: number, to: number]>([
  [[1, 10], 0, 1],
  [[3, 4], 0, 1],
  [[0.02, 250], -2, 3],
  [[100], 2, 3],
])('decades around %j', (values, from, to) => {
  expect(decades(values)).toEqual({ from, to });
});

const PANEL = { title: 'Hub & <domains>', xLabel: 'domains', yLabel: 'ms' };

test('a decade is as wide wherever it lies, and larger values are higher up', () => {
  const svg = curvesSvg(
    [
      {
        ...PANEL,
        curves: [
          {
            name: 'cpu',
            points: [
              [1, 1],
              [10, 10],
              [100, 1_000],
            ],
          },
        ],
      },
    ],
    2,
  );
  const [points] = [...svg.matchAll(/<polyline points="([^"]+)"/g)].map(([, list]) =>
    list!.split(' ').map((pair) => pair.split(',').map(Number) as [number, number]),
  );
  const [[x0, y0], [x1, y1], [x2, y2]] = points as [[number, number], [number, number], [number, number]];
  expect(x1 - x0).toBeCloseTo(x2 - x1, 0);
  expect(y1 - y2).toBeCloseTo(2 * (y0 - y1), 0);
  expect(y0).toBeGreaterThan(y1);
});

test('words are escaped, each curve is named, and panels stand side by side', () => {
  const curves = [
    { name: 'cpu', points: [[1, 1]] },
    { name: 'bytes', points: [[1, 2]] },
  ] as const;
  const svg = curvesSvg(
    [
      { ...PANEL, curves },
      { ...PANEL, curves },
      { ...PANEL, curves },
    ],
    2,
  );
  expect(svg).toContain('>Hub &amp; &lt;domains></text>');
  expect(svg.match(/>bytes<\/text>/g)).toHaveLength(3);
  expect([...svg.matchAll(/<g transform="translate\((\d+) (\d+)\)">/g)].map(([, x, y]) => [x, y])).toEqual([
    ['0', '0'],
    ['440', '0'],
    ['0', '380'],
  ]);
});
