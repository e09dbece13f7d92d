import type { UnixNano } from './messages.ts';

/** Whole milliseconds since the epoch, rounded down as Prometheus does. Exact for every 64-bit time. */
export function nanosToMs(nanos: UnixNano): number {
  return Number(nanos / 1_000_000n);
}

/**
 * A float in the shortest decimal notation that reads back as the same value, never with an exponent: how Prometheus
 * writes the label values of `le` and `quantile` for OTLP.
 */
export function plainDecimal(value: number): string {
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  if (Object.is(value, -0)) return '-0';
  const text = String(value);
  const exponentAt = text.indexOf('e');
  if (exponentAt < 0) return text;
  const sign = text.startsWith('-') ? '-' : '';
  const [whole = '', fraction = ''] = text.slice(sign.length, exponentAt).split('.');
  const digits = whole + fraction;
  const point = whole.length + Number(text.slice(exponentAt + 1));
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  if (point >= digits.length) return sign + digits + '0'.repeat(point - digits.length);
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}
