import { describe, expect, it } from 'vitest';
import { durationParam, integerParam, switchParam, timeParam } from '../../src/api/params.ts';

const params = (text: string): URLSearchParams => new URLSearchParams({ p: text });

describe('times', () => {
  it.each<[string, number]>([
    ['1', 1000],
    ['1.', 1000],
    ['.5', 500],
    ['1.0005', 1000],
    ['1.0006', 1001],
    ['-1.5', -1500],
    ['1.7e9', 1_700_000_000_000],
    ['1700000000.057', 1_700_000_000_057],
    ['2023-02-28T23:59:59Z', Date.UTC(2023, 1, 28, 23, 59, 59)],
    ['2024-02-29T00:00:00.1239+01:30', Date.UTC(2024, 1, 28, 22, 30, 0, 123)],
    ['2024-02-29T00:00:00-01:30', Date.UTC(2024, 1, 29, 1, 30)],
  ])('%s', (text, want) => expect(timeParam(params(text), 'p')).toBe(want));

  it.each([
    '2023-02-30T00:00:00Z',
    '2023-13-01T00:00:00Z',
    '2023-01-01T24:00:00Z',
    '2023-01-01T00:60:00Z',
    '2023-01-01T00:00:60Z',
    '2023-01-01T00:00:00+25:00',
    '2023-01-01 00:00:00Z',
    '2023-01-01T00:00:00',
    'NaN',
    'Inf',
    '1e300',
    'yesterday',
    '1x',
  ])('%s is none', (text) =>
    expect(() => timeParam(params(text), 'p')).toThrow(/^invalid parameter "p": cannot parse .* to a valid timestamp$/),
  );
});

describe('durations', () => {
  it.each<[string, number]>([
    ['1', 1000],
    ['0.0016', 1],
    ['1.0005', 1000],
    ['-0.0016', -1],
    ['5.', 5000],
    ['1h30m', 5_400_000],
    ['9e9', 9e12],
  ])('%s', (text, want) => expect(durationParam(params(text), 'p')).toBe(want));

  it.each<[string, RegExp]>([
    ['1e10', /overflows int64$/],
    ['1e300', /overflows int64$/],
    ['-1e10', /overflows int64$/],
    ['Inf', /overflows int64$/],
    ['NaN', /to a valid duration$/],
    ['5 m', /to a valid duration$/],
    ['300y', /to a valid duration$/],
  ])('%s is none', (text, message) => expect(() => durationParam(params(text), 'p')).toThrow(message));
});

it('long texts are refused at once and not repeated', () => {
  const long = params(`${'1'.repeat(90_000)}x`);
  const started = performance.now();
  for (const read of [timeParam, durationParam, integerParam]) {
    let message = '';
    try {
      read(long, 'p');
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toContain('invalid parameter "p"');
    expect(message.length).toBeLessThan(200);
  }
  expect(performance.now() - started).toBeLessThan(500);
});

it('a switch is off by 0 and by false alone', () => {
  expect(['0', 'false', 'true', '1', ''].map((text) => switchParam(params(text), 'p'))).toEqual([
    false,
    false,
    true,
    true,
    true,
  ]);
  expect(switchParam(new URLSearchParams(), 'p')).toBe(true);
});
