import { describe, expect, it } from 'vitest';
import { formatFloat, parseFloatStrict } from '../../src/base/numbers.ts';

describe('formatFloat writes what Prometheus writes', () => {
  it.each<[number, string]>([
    [-0, '-0'],
    [0, '0'],
    [Infinity, '+Inf'],
    [-Infinity, '-Inf'],
    [NaN, 'NaN'],
    [1e21, '1e+21'],
    [1e20, '100000000000000000000'],
    [1e-6, '0.000001'],
    [1e-7, '1e-07'],
    [-1.5e-9, '-1.5e-09'],
    [1e-10, '1e-10'],
    [5e-324, '5e-324'],
    [123456789.123, '123456789.123'],
  ])('%d as %s', (value, want) => expect(formatFloat(value)).toBe(want));
});

describe('parseFloatStrict reads what strconv.ParseFloat reads', () => {
  it.each<[string, number | undefined]>([
    ['1.', 1],
    ['.5', 0.5],
    ['+1e3', 1000],
    ['1e-400', 0],
    ['1e400', undefined],
    ['-1e400', undefined],
    ['0x1p1', 2],
    ['0X1P+3', 8],
    ['-0x1.8p1', -3],
    ['0x.8p0', 0.5],
    ['0x1p-1074', 5e-324],
    ['0x1.fffffffffffff8p0', 2],
    ['0x1p2000', undefined],
    [`0x1p-${'9'.repeat(1000)}`, 0],
    ['0x1', undefined],
    ['0xp1', undefined],
    ['inf', Infinity],
    ['-Infinity', -Infinity],
    ['NaN', NaN],
    ['-nan', undefined],
    ['+NaN', undefined],
    ['infin', undefined],
    ['', undefined],
    ['.', undefined],
    ['+.e1', undefined],
    [' 1', undefined],
    ['1x', undefined],
  ])('%s', (text, want) => expect(parseFloatStrict(text)).toBe(want));

  it('takes no time over long texts', () => {
    const started = performance.now();
    expect(parseFloatStrict(`${'1'.repeat(60_000)}x`)).toBeUndefined();
    for (let i = 0; i < 1000; i++) expect(parseFloatStrict(`${'1'.repeat(1099)}x`)).toBeUndefined();
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
