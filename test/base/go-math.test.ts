import { describe, expect, it } from 'vitest';
import { acos, asin, atan, atan2, cos, cosh, log, log10, log2, pow, sin, sinh, tan } from '../../src/base/go-math.ts';
import { randomFrom } from '../random.ts';

type Functions = Readonly<Record<string, (...numbers: readonly number[]) => number>>;

const OURS = { acos, asin, atan, atan2, cos, cosh, log, log10, log2, pow, sin, sinh, tan };
const THEIRS = Math as unknown as Functions;

/** Exact results of Go 1.26 on amd64; the last column tells whether JavaScript's own function gives the same. */
const CASES: readonly (readonly [keyof typeof OURS, readonly number[], number, boolean])[] = [
  ['log', [5e-324], -709.0895657128241, false],
  ['log', [0], -Infinity, true],
  ['log', [-1], NaN, true],
  ['log2', [8], 3, true],
  ['log2', [1.0000000000000018], 2.6645352591003757e-15, false],
  ['log2', [5e-324], -1074, true],
  ['log10', [1000], 3, true],
  ['acos', [0.9999999999999998], 2.107342433887993e-8, false],
  ['asin', [0.9999999925318844], 1.5706741129204627, false],
  ['asin', [1.5], NaN, true],
  ['sin', [182.212373908208], 2.4759225463127787e-18, false],
  ['cos', [45.553093477052], -6.189806365781947e-19, false],
  ['sin', [-0], -0, true],
  ['sinh', [709.9999397112927], Infinity, false],
  ['cosh', [-709.9999397112927], Infinity, false],
  ['sinh', [-709.9999397112927], -Infinity, false],
  ['atan2', [-5e-324, -2], Math.PI, false],
  ['atan2', [0, -0], Math.PI, true],
  ['pow', [1, NaN], 1, false],
  ['pow', [-1, Infinity], 1, false],
  ['pow', [6.205875874608824e70, -2.5881873609507577], 5.95609765027649e-184, false],
  ['pow', [2, 1023], 2 ** 1023, true],
  ['pow', [2, -1074], 5e-324, true],
  ['pow', [-2, 3], -8, true],
  ['pow', [-8, 1 / 3], NaN, true],
  ['pow', [-0, -3], -Infinity, true],
];

describe('functions that are those of Go', () => {
  it.each(CASES)('%s(%j)', (name, args, want, isSame) => {
    const own = (OURS as unknown as Functions)[name]!(...args);
    const difference = Math.abs(own - want) / Math.abs(want);
    // What goes through the exponential function may differ in the last digit.
    if (name === 'pow' && Number.isFinite(want) && want !== 0) expect(difference).toBeLessThan(1e-15);
    else expect(own).toBe(want);
    expect(Object.is(THEIRS[name]!(...args), want)).toBe(isSame);
  });

  it('are near those of JavaScript wherever no digits are lost', () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = randomFrom(seed);
    const names = ['log', 'log10', 'sin', 'cos', 'tan', 'atan', 'sinh', 'cosh'] as const;
    for (let i = 0; i < 5_000; i++) {
      const x = random.float(0.01, 1.5);
      for (const name of names) {
        const [own, theirs] = [OURS[name](x), Math[name](x)];
        // Near 1 a logarithm has only the digits that its argument has beyond 1.
        const scale = Math.max(Math.abs(theirs), 1e-3);
        expect(Math.abs(own - theirs) / scale, `${name}(${x}), seed ${seed}`).toBeLessThan(1e-12);
      }
      expect(pow(x, 3), `seed ${seed}`).toBeCloseTo(x ** 3, 12);
    }
  });

  it('power by squaring loses the digits that it loses in Go', () => {
    expect(pow(1.000001, 1e8)).toBe(2.687982723295442e43);
    expect(Math.abs(1.000001 ** 1e8 / 2.687982723295442e43 - 1)).toBeGreaterThan(1e-12);
  });
});
