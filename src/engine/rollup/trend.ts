import { ComityError } from '../../base/errors.ts';
import { addCompensated } from '../../base/compensated.ts';
import { windowed, type StepsKernel } from './kernels.ts';

/** The slope per second of the line with the least squares. */
export const slopes: StepsKernel = windowed(2, (times, values) => {
  const line = new Float64Array(2);
  return (from, to) => {
    // Times near the ones in use keep the squares small.
    regress(times, values, from, to, times[from]!, line);
    return line[0]!;
  };
});

/** The value of that line so many seconds after the step. */
export const predictions: StepsKernel = windowed(2, (times, values, { stepTimes, params }) => {
  const line = new Float64Array(2);
  const [durations] = params;
  return (from, to, step) => {
    regress(times, values, from, to, stepTimes[step]!, line);
    return line[0]! * durations![step]! + line[1]!;
  };
});

/**
 * Least squares over the samples [from, to): writes the slope per second and the value at `originMs` into `line`.
 *
 * Every sum is compensated and in the order of time: small differences of large sums come out as Prometheus has them only
 * then. Two terms' rounding error is computed without a comparison, which is exact for all that is finite.
 */
function regress(
  times: Float64Array,
  values: Float64Array,
  from: number,
  to: number,
  originMs: number,
  line: Float64Array,
): void {
  const first = values[from]!;
  let isConstant = true;
  let x1 = 0;
  let y1 = 0;
  let xy = 0;
  let x2 = 0;
  let x1Lost = 0;
  let y1Lost = 0;
  let xyLost = 0;
  let x2Lost = 0;
  for (let i = from; i < to; i++) {
    const y = values[i]!;
    if (i > from && y !== first) isConstant = false;
    const x = (times[i]! - originMs) / 1e3;
    let total = x1 + x;
    let part = total - x1;
    x1Lost += x1 - (total - part) + (x - part);
    x1 = total;
    total = y1 + y;
    part = total - y1;
    y1Lost += y1 - (total - part) + (y - part);
    y1 = total;
    let term = x * y;
    total = xy + term;
    part = total - xy;
    xyLost += xy - (total - part) + (term - part);
    xy = total;
    term = x * x;
    total = x2 + term;
    part = total - x2;
    x2Lost += x2 - (total - part) + (term - part);
    x2 = total;
  }
  if (isConstant) {
    const isInfinite = first === Infinity || first === -Infinity;
    line[0] = isInfinite ? NaN : 0;
    line[1] = isInfinite ? NaN : first;
    return;
  }
  if (!Number.isFinite(y1 + xy)) return regressInfinite(times, values, from, to, originMs, line);
  finish(to - from, x1 + x1Lost, y1 + y1Lost, xy + xyLost, x2 + x2Lost, line);
}

/** The same where a sum is not finite, and has no rounding error then. */
function regressInfinite(
  times: Float64Array,
  values: Float64Array,
  from: number,
  to: number,
  originMs: number,
  line: Float64Array,
): void {
  const sums = new Float64Array(4);
  const lost = new Float64Array(4);
  for (let i = from; i < to; i++) {
    const x = (times[i]! - originMs) / 1e3;
    const y = values[i]!;
    addCompensated(sums, lost, 0, x);
    addCompensated(sums, lost, 1, y);
    addCompensated(sums, lost, 2, x * y);
    addCompensated(sums, lost, 3, x * x);
  }
  const [x1, y1, xy, x2] = sums.map((sum, i) => sum + lost[i]!);
  finish(to - from, x1!, y1!, xy!, x2!, line);
}

function finish(count: number, x1: number, y1: number, xy: number, x2: number, line: Float64Array): void {
  const slope = (xy - (x1 * y1) / count) / (x2 - (x1 * x1) / count);
  line[0] = slope;
  line[1] = y1 / count - (slope * x1) / count;
}

/** Holt's linear smoothing, whose two factors must be between 0 and 1. Throws `execution` where they are not. */
export const smoothedTrends: StepsKernel = windowed(2, (_times, values, { params }) => {
  const [smoothings, trends] = params;
  return (from, to, step) => smoothedTrend(values, from, to, smoothings![step]!, trends![step]!);
});

function smoothedTrend(values: Float64Array, from: number, to: number, smoothing: number, trend: number): number {
  let level = values[from]!;
  let levelBefore = 0;
  let slope = values[from + 1]! - level;
  for (let i = from + 1; i < to; i++) {
    if (i > from + 1) slope = trend * (level - levelBefore) + (1 - trend) * slope;
    const moved = smoothing * values[i]! + (1 - smoothing) * (level + slope);
    levelBefore = level;
    level = moved;
  }
  return level;
}

/** Throws `execution` for a factor that smoothing cannot work with. */
export function assertSmoothingFactors(smoothing: number, trend: number): void {
  if (smoothing <= 0 || smoothing >= 1) throw invalidFactor('smoothing', 'sf', smoothing);
  if (trend <= 0 || trend >= 1) throw invalidFactor('trend', 'tf', trend);
}

function invalidFactor(what: string, symbol: string, got: number): ComityError {
  return new ComityError('execution', `invalid ${what} factor. Expected: 0 < ${symbol} < 1, got: ${fixedText(got)}`);
}

/** As Go's `%f` writes it: six digits after the point, and never an exponent. */
function fixedText(value: number): string {
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  return Math.abs(value) < 1e21 ? value.toFixed(6) : `${BigInt(value)}.000000`;
}
