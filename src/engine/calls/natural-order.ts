/**
 * Compares two different strings in natural order, in which `a2` comes before `a10`: chunk by chunk, digits as numbers and
 * all else as text, as the sorting functions of Prometheus do (https://pkg.go.dev/github.com/facette/natsort). Where that
 * says nothing or contradicts itself, with an empty string and where only zeros before a number differ, the text decides.
 */
export function compareNaturally(one: string, other: string): number {
  const isBefore = comesBefore(one, other);
  if (isBefore === comesBefore(other, one)) return one < other ? -1 : 1;
  return isBefore ? -1 : 1;
}

const CHUNKS = /[0-9]+|[^0-9]+/g;

function comesBefore(one: string, other: string): boolean {
  const ones = one.match(CHUNKS) ?? [];
  const others = other.match(CHUNKS) ?? [];
  for (let i = 0; i < ones.length; i++) {
    const a = ones[i]!;
    const b = others[i];
    if (b === undefined) return false;
    const order = compareNumbers(a, b) ?? (a === b ? 0 : a < b ? -1 : 1);
    if (order !== 0) return order < 0;
    // The shorter one is first, and of two equally long ones each.
    if (i === ones.length - 1) return true;
  }
  return false;
}

/** Undefined where not both are whole numbers of 64 bits. */
function compareNumbers(a: string, b: string): number | undefined {
  const one = digitsOf(a);
  const other = digitsOf(b);
  if (one === undefined || other === undefined) return undefined;
  if (one.length !== other.length) return one.length - other.length;
  return one === other ? 0 : one < other ? -1 : 1;
}

const INTEGER_MAX = '9223372036854775807';

/** The digits of a number without the zeros before them. */
function digitsOf(chunk: string): string | undefined {
  if (!/^[0-9]/.test(chunk)) return undefined;
  const digits = chunk.replace(/^0+/, '');
  const isLarge = digits.length > INTEGER_MAX.length || (digits.length === INTEGER_MAX.length && digits > INTEGER_MAX);
  return isLarge ? undefined : digits;
}
