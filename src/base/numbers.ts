/**
 * A float as Go's strconv.ParseFloat reads the forms that occur in telemetry (`le`, `quantile`): decimal with optional
 * exponent, or any sign and case of Inf, Infinity and NaN. Undefined for anything else, where JavaScript's `Number`
 * would take an empty string for zero.
 */
export function parseFloatStrict(text: string): number | undefined {
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
  const special = /^([+-]?)(inf(?:inity)?|nan)$/i.exec(text);
  if (special === null) return undefined;
  if (special[2]!.toLowerCase() === 'nan') return NaN;
  return special[1] === '-' ? -Infinity : Infinity;
}

/** A float as Prometheus's HTTP API writes it: JavaScript's shortest form, with `+Inf` and `-Inf`. */
export function formatFloat(value: number): string {
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  // Go writes the sign of a negative zero, JavaScript does not.
  return Object.is(value, -0) ? '-0' : String(value);
}
