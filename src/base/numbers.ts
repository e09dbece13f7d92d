/** Longer texts are no numbers; the smallest float written out without an exponent has 1,077 characters. */
const NUMBER_CHARS = 1100;

/** Each digit can be read in one way only, so matching takes linear time. */
const DECIMAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i;
const HEXADECIMAL = /^([+-]?)0x([\da-f]*)\.?([\da-f]*)p([+-]?\d+)$/i;
const SPECIAL = /^(?:([+-]?)inf(?:inity)?|nan)$/i;

/**
 * A float as Go's strconv.ParseFloat reads it: decimal with optional exponent, hexadecimal with a binary exponent
 * (`0x1p-2`), `Inf` and `Infinity` with any sign, NaN without one, in any case. Undefined for anything else, for what is
 * too large for a float, and for digits parted by `_`, which no telemetry has.
 */
export function parseFloatStrict(text: string): number | undefined {
  if (text.length > NUMBER_CHARS) return undefined;
  if (DECIMAL.test(text)) return inRange(Number(text));
  const hexadecimal = HEXADECIMAL.exec(text);
  if (hexadecimal !== null) return inRange(hexadecimalValue(hexadecimal));
  const special = SPECIAL.exec(text);
  if (special === null) return undefined;
  if (special[1] === undefined) return NaN;
  return special[1] === '-' ? -Infinity : Infinity;
}

/** A float as Prometheus's HTTP API writes it: the shortest digits, an exponent below 1e-6 and from 1e21 on. */
export function formatFloat(value: number): string {
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  // Go writes the sign of a negative zero, JavaScript does not.
  if (Object.is(value, -0)) return '-0';
  const text = String(value);
  // Go writes at least two digits of an exponent; JavaScript has a single one only from 1e-7 to 1e-9.
  return value !== 0 && Math.abs(value) < 1e-6 ? text.replace(/e-(\d)$/, 'e-0$1') : text;
}

/**
 * A float as Go's `%g` writes it: the shortest digits, or `digits` significant ones, with an exponent below 1e-4 and from
 * 1e6 on, or where the digits do not reach.
 */
export function formatShort(value: number, digits?: number): string {
  if (!Number.isFinite(value)) return formatFloat(value);
  if (Object.is(value, -0)) return '-0';
  if (value === 0) return '0';
  const [mantissa, exponentText] = exponential(value, digits).split('e') as [string, string];
  const exponent = Number(exponentText);
  // Zeros at the end of a mantissa say nothing.
  const short = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa;
  if (exponent < -4 || exponent >= (digits ?? SHORT_EXPONENT)) {
    const sign = exponent < 0 ? '-' : '+';
    return `${short}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  return String(Number(`${short}e${exponent}`));
}

/** In exponential notation; of two texts that are equally near, the one whose last digit is even, as in Go. */
function exponential(value: number, digits: number | undefined): string {
  if (digits === undefined) return value.toExponential();
  const up = value.toExponential(digits - 1);
  const exact = value.toExponential(EXACT_DIGITS);
  const tail = exact.slice(exact.indexOf('.') + digits, exact.indexOf('e'));
  if (!/^50*$/.test(tail)) return up;
  const cut = Number(`${exact.slice(0, exact.indexOf('.') + digits)}${exact.slice(exact.indexOf('e'))}`);
  const down = cut.toExponential(digits - 1);
  return /[02468]e/.test(down) ? down : up;
}

/** As many as JavaScript writes; halves that matter have fewer. */
const EXACT_DIGITS = 100;

/** From this exponent on `%g` without a precision writes it. */
const SHORT_EXPONENT = 6;

function inRange(value: number | undefined): number | undefined {
  return value === Infinity || value === -Infinity ? undefined : value;
}

function hexadecimalValue(match: RegExpExecArray): number | undefined {
  const [, sign, whole = '', fraction = '', exponent] = match;
  if (whole === '' && fraction === '') return undefined;
  let value = Number(BigInt(`0x${whole}${fraction}`));
  let power = Number(exponent) - 4 * fraction.length;
  // In steps, because the power alone may pass the range of floats where the product does not.
  while (power !== 0 && value !== 0 && value !== Infinity) {
    const step = Math.max(-1000, Math.min(1000, power));
    value *= 2 ** step;
    power -= step;
  }
  return sign === '-' ? -value : value;
}
