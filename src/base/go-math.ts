/*
 * Elementary functions whose results are those of Go on most machines (its package math), where JavaScript's differ by more
 * than the last digits: both are good approximations, but of two that differ in the 16th digit a difference close to zero
 * makes something else altogether. What is based on `log` and `atan` here is equal in every bit.
 */

const SCRATCH = new DataView(new ArrayBuffer(8));

/** The high half of a float's bits: its sign, 11 bits of exponent and the first 20 of its fraction. */
function highWord(x: number): number {
  SCRATCH.setFloat64(0, x);
  return SCRATCH.getInt32(0);
}

function withHighWord(x: number, high: number): number {
  SCRATCH.setFloat64(0, x);
  SCRATCH.setInt32(0, high);
  return SCRATCH.getFloat64(0);
}

/** The least float that has all its digits. */
const NORMAL_MIN = 2 ** -1022;

/** `x` in [0.5, 1) times a power of two, for a finite x above 0. */
function fractionOf(x: number): { readonly fraction: number; readonly exponent: number } {
  const isSmall = x < NORMAL_MIN;
  const scaled = isSmall ? x * 2 ** 52 : x;
  const high = highWord(scaled);
  const exponent = (high >>> 20) - 1022 - (isSmall ? 52 : 0);
  return { fraction: withHighWord(scaled, (high & 0xfffff) | 0x3fe00000), exponent };
}

/** `fraction` times two to the power of `exponent`, rounded once. */
function scaleByPower(fraction: number, exponent: number): number {
  if (fraction === 0 || !Number.isFinite(fraction)) return fraction;
  const own = fractionOf(Math.abs(fraction));
  const mantissa = fraction < 0 ? -own.fraction : own.fraction;
  const power = own.exponent + exponent;
  if (power > 1024) return mantissa < 0 ? -Infinity : Infinity;
  if (power < -1100) return mantissa < 0 ? -0 : 0;
  // Powers outside the range of floats are taken in two steps, the first of which loses nothing.
  return power > 0 ? mantissa * 2 ** (power - 1) * 2 : mantissa * 2 ** (power + 100) * 2 ** -100;
}

/** ln 2 in two parts, the first of which has few digits, so that small multiples of it are exact. */
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;

/**
 * The natural logarithm, by the polynomial of fdlibm (https://www.netlib.org/fdlibm/e_log.c). Numbers below 2^-1022 are taken
 * as if they had all their digits, which is far off; so does Go with those on most machines.
 */
export function log(x: number): number {
  if (!(x > 0 && x < Infinity)) return x === 0 ? -Infinity : x < 0 ? NaN : x;
  const high = highWord(x);
  let exponent = (high >>> 20) - 1022;
  let fraction = withHighWord(x, (high & 0xfffff) | 0x3fe00000);
  if (fraction <= Math.SQRT1_2) {
    fraction *= 2;
    exponent--;
  }
  const f = fraction - 1;
  const s = f / (2 + f);
  const z = s * s;
  const w = z * z;
  const odd = 0.2857142874366239 + w * (0.1818357216161805 + w * 0.14798198605116586);
  const even = 0.3999999999940942 + w * (0.22222198432149784 + w * 0.15313837699209373);
  const rest = z * (0.6666666666666735 + w * odd) + w * even;
  const half = 0.5 * f * f;
  return exponent * LN2_HIGH - (half - (s * (half + rest) + exponent * LN2_LOW) - f);
}

export function log2(x: number): number {
  if (!(x > 0 && x < Infinity)) return log(x);
  const { fraction, exponent } = fractionOf(x);
  return fraction === 0.5 ? exponent - 1 : log(fraction) * Math.LOG2E + exponent;
}

export function log10(x: number): number {
  return log(x) * Math.LOG10E;
}

/** `x` to the power of `y`: whole powers by squaring, in which the last digits of large ones are those of Go. */
export function pow(x: number, y: number): number {
  if (x === 1) return 1;
  if (x === -1 && (y === Infinity || y === -Infinity)) return 1;
  const magnitude = Math.abs(y);
  const isPlain = x !== 0 && Number.isFinite(x) && magnitude < 2 ** 63;
  if (!isPlain || y === 0 || y === 1) return x ** y;
  if (magnitude === 0.5) return y > 0 ? Math.sqrt(x) : 1 / Math.sqrt(x);
  let whole = Math.floor(magnitude);
  let part = magnitude - whole;
  if (part !== 0 && x < 0) return NaN;
  if (part > 0.5) {
    part--;
    whole++;
  }
  let result = part === 0 ? 1 : Math.exp(part * log(x));
  let power = 0;
  const { fraction, exponent } = fractionOf(Math.abs(x));
  let square = x < 0 ? -fraction : fraction;
  let squarePower = exponent;
  for (; whole !== 0; whole = Math.floor(whole / 2)) {
    // Past all floats, where the power would not stop growing.
    if (Math.abs(squarePower) > 4096) {
      power += squarePower;
      break;
    }
    if (whole % 2 === 1) {
      result *= square;
      power += squarePower;
    }
    square *= square;
    squarePower *= 2;
    if (square < 0.5) {
      square *= 2;
      squarePower--;
    }
  }
  return y < 0 ? scaleByPower(1 / result, -power) : scaleByPower(result, power);
}

/** Beyond it the parts of pi/4 have too few digits; there JavaScript's own reduction is as good as Go's. */
const REDUCED_MAX = 2 ** 29;

/** Where the last reduced angle lies: how many times pi/4 it is turned by, 0 to 7, even. */
let octant = 0;

/** What is left of an angle of at least 0 without an even number of pi/4, as far as three parts of that tell. */
function reduced(x: number): number {
  let eighths = Math.floor(x * (4 / Math.PI));
  if (eighths % 2 === 1) eighths++;
  octant = eighths % 8;
  return x - eighths * 0.7853981256484985 - eighths * 3.774894707930798e-8 - eighths * 2.6951514290790595e-15;
}

export function sin(x: number): number {
  const magnitude = Math.abs(x);
  if (!(magnitude < REDUCED_MAX)) return Math.sin(x);
  if (x === 0) return x;
  const rest = reduced(magnitude);
  const value = octant % 4 === 0 ? Math.sin(rest) : Math.cos(rest);
  return octant >= 4 !== x < 0 ? -value : value;
}

export function cos(x: number): number {
  const magnitude = Math.abs(x);
  if (!(magnitude < REDUCED_MAX)) return Math.cos(x);
  const rest = reduced(magnitude);
  const value = octant % 4 === 0 ? Math.cos(rest) : Math.sin(rest);
  return octant === 2 || octant === 4 ? -value : value;
}

export function tan(x: number): number {
  const magnitude = Math.abs(x);
  if (!(magnitude < REDUCED_MAX)) return Math.tan(x);
  if (x === 0) return x;
  const rest = Math.tan(reduced(magnitude));
  const value = octant % 4 === 0 ? rest : -1 / rest;
  return x < 0 ? -value : value;
}

/** By the rational function of Cephes (https://www.netlib.org/cephes/, atan.c). */
export function atan(x: number): number {
  if (x === 0 || Number.isNaN(x)) return x;
  return x > 0 ? positiveAtan(x) : -positiveAtan(-x);
}

/** What a float of pi/2 lacks. */
const HALF_PI_REST = 6.123233995736766e-17;

function positiveAtan(x: number): number {
  if (x <= 0.66) return smallAtan(x);
  if (x > 2.414213562373095) return Math.PI / 2 - smallAtan(1 / x) + HALF_PI_REST;
  return Math.PI / 4 + smallAtan((x - 1) / (x + 1)) + 0.5 * HALF_PI_REST;
}

function smallAtan(x: number): number {
  const z = x * x;
  let above = -0.8750608600031904 * z - 16.157537187333652;
  above = (above * z - 75.00855792314705) * z - 122.88666844901361;
  above = above * z - 64.85021904942025;
  let below = (z + 24.858464901423062) * z + 165.02700983169885;
  below = (below * z + 432.88106049129027) * z + 485.3903996359137;
  below = below * z + 194.5506571482614;
  return x * ((z * above) / below) + x;
}

/** The angle of the point (x, y), from the quotient, which may underflow to 0. */
export function atan2(y: number, x: number): number {
  if (x === 0 || y === 0 || !Number.isFinite(x) || !Number.isFinite(y)) return Math.atan2(y, x);
  const angle = atan(y / x);
  if (x > 0) return angle;
  return angle <= 0 ? angle + Math.PI : angle - Math.PI;
}

export function asin(x: number): number {
  const magnitude = Math.abs(x);
  if (!(magnitude <= 1)) return NaN;
  if (x === 0) return x;
  const other = Math.sqrt(1 - x * x);
  const angle = magnitude > 0.7 ? Math.PI / 2 - positiveAtan(other / magnitude) : positiveAtan(magnitude / other);
  return x < 0 ? -angle : angle;
}

export function acos(x: number): number {
  return Math.PI / 2 - asin(x);
}

/** From here on one of the two exponentials counts for nothing, and overflows though half of it would not. */
const ONE_SIDED = 21;

export function sinh(x: number): number {
  return Math.abs(x) > ONE_SIDED ? Math.sign(x) * (Math.exp(Math.abs(x)) * 0.5) : Math.sinh(x);
}

export function cosh(x: number): number {
  return Math.abs(x) > ONE_SIDED ? Math.exp(Math.abs(x)) * 0.5 : Math.cosh(x);
}
