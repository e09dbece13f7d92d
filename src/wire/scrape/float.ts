import { parseFloatStrict } from '../../base/numbers.ts';

const ZERO = 0x30;
const NINE = 0x39;
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;

/** Powers of ten that are exact floats. */
const POWERS = Array.from({ length: 23 }, (_, i) => 10 ** i);

/** Any number of this many digits is an exact float. */
const EXACT_DIGITS = 15;

/** A sample's number in `body[start, end)`, as Prometheus reads it; undefined where it is none. */
export function readFloat(body: Buffer, start: number, end: number): number | undefined {
  let at = start;
  const sign = body[at]!;
  if (sign === MINUS || sign === PLUS) at++;
  const digitsStart = at;
  let digits = 0;
  let point = -1;
  // Digits and one point: an exact integer over an exact power of ten is rounded once, so it is the nearest float.
  for (; at < end; at++) {
    const byte = body[at]!;
    if (byte >= ZERO && byte <= NINE) digits = digits * 10 + (byte - ZERO);
    else if (byte === POINT && point < 0) point = at;
    else return readOtherFloat(body, start, end);
  }
  const count = end - digitsStart - (point < 0 ? 0 : 1);
  if (count === 0 || count > EXACT_DIGITS) return readOtherFloat(body, start, end);
  const value = point < 0 ? digits : digits / POWERS[end - point - 1]!;
  return sign === MINUS ? -value : value;
}

/** Floats of Go before hexadecimal ones and digits parted by `_` came: what the text formats allow. */
function readOtherFloat(body: Buffer, start: number, end: number): number | undefined {
  const text = body.toString('latin1', start, end);
  return /[pP_]/.test(text) ? undefined : parseFloatStrict(text);
}

/**
 * The number of an `le` or `quantile` label as OpenMetrics writes it, and Prometheus stores it from every format: the
 * shortest digits, an exponent of at least two digits below 1e-4 and from 1e6 on, else with a point.
 */
export function formatLabelFloat(value: number): string {
  if (value === 0) return '0.0';
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  if (value !== value) return 'NaN';
  const [digits, exponentText] = value.toExponential().split('e') as [string, string];
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 6) {
    const magnitude = String(Math.abs(exponent)).padStart(2, '0');
    return `${digits}e${exponent < 0 ? '-' : '+'}${magnitude}`;
  }
  const text = String(value);
  return text.includes('.') ? text : `${text}.0`;
}
