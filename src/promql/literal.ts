import { ComityError } from '../base/errors.ts';

/** `\'` in a double-quoted string is an error, as in Go; so only the string's own quote is added to these. */
const SIMPLE_ESCAPES: ReadonlyMap<string, number> = new Map([
  ['a', 7],
  ['b', 8],
  ['f', 12],
  ['n', 10],
  ['r', 13],
  ['t', 9],
  ['v', 11],
  ['\\', 92],
]);

const HEX_DIGITS: ReadonlyMap<string, number> = new Map([
  ['x', 2],
  ['u', 4],
  ['U', 8],
]);

/**
 * The value of a number token (not of a duration): decimal with optional fraction and exponent, hexadecimal with `0x`,
 * octal with a leading 0, `Inf` and `NaN` in any case, underscores between digits. Throws `bad_data` when the number is
 * too large for a float.
 */
export function numberValue(text: string): number {
  const word = text.toLowerCase();
  if (word === 'inf') return Number.POSITIVE_INFINITY;
  if (word === 'nan') return Number.NaN;
  const digits = word.replaceAll('_', '');
  // An octal number beyond 64 bits is read as decimal by Prometheus, and so here.
  if (/^0[0-7]+$/.test(digits) && BigInt(`0o${digits}`) < 2n ** 63n) return Number(BigInt(`0o${digits}`));
  const value = Number(digits);
  if (!Number.isFinite(value) || (word.startsWith('0x') && BigInt(digits) >= 2n ** 63n)) {
    const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
    throw new ComityError('bad_data', `number out of range: ${shown}`);
  }
  return value;
}

/**
 * The value of a string token with its quotes: Go's escapes in `"` and `'`, none in backticks. Throws `bad_data` for an
 * unknown or cut-off escape, and for a string that is not Unicode text (which no label value can be).
 */
export function stringValue(token: string): string {
  const quote = token[0]!;
  const body = token.slice(1, -1);
  if (!body.isWellFormed() || body.includes('\ufffd')) {
    throw new ComityError('bad_data', 'invalid UTF-8 rune in string; write the replacement character as \\ufffd');
  }
  if (quote === '`' || !body.includes('\\')) return body;
  // Escapes such as \xc3\xa9 give single bytes of a character, so the string is put together as bytes.
  const chunks: Buffer[] = [];
  for (let at = 0; at < body.length;) {
    const escape = body.indexOf('\\', at);
    chunks.push(Buffer.from(body.slice(at, escape < 0 ? body.length : escape)));
    if (escape < 0) break;
    const { bytes, length } = escapeValue(body, escape + 1, quote);
    chunks.push(bytes);
    at = escape + 1 + length;
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new ComityError('bad_data', 'the escapes of this string do not make valid UTF-8');
  }
}

/** The string as a double-quoted literal that reads back as the same string. */
export function quoteString(value: string): string {
  return `"${value.toWellFormed().replace(/["\\\p{C}\u2028\u2029\ufffd]/gu, escapeChar)}"`;
}

function escapeChar(char: string): string {
  switch (char) {
    case '"':
    case '\\':
      return `\\${char}`;
    case '\n':
      return '\\n';
    case '\r':
      return '\\r';
    case '\t':
      return '\\t';
    default: {
      const hex = char.codePointAt(0)!.toString(16);
      return hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
    }
  }
}

/** The bytes that the escape after a backslash stands for, and how many characters it has. */
function escapeValue(body: string, at: number, quote: string): { bytes: Buffer; length: number } {
  const char = body[at] ?? '';
  const simple = char === quote ? quote.charCodeAt(0) : SIMPLE_ESCAPES.get(char);
  if (simple !== undefined) return { bytes: Buffer.from([simple]), length: 1 };
  if (char >= '0' && char <= '7') {
    const byte = codeOf(body.slice(at, at + 3), 3, 8);
    if (byte > 255) throw new ComityError('bad_data', 'an octal escape in a string is at most \\377');
    return { bytes: Buffer.from([byte]), length: 3 };
  }
  const digits = HEX_DIGITS.get(char);
  if (digits === undefined) {
    const shown = String.fromCodePoint(body.codePointAt(at) ?? 0xfffd);
    throw new ComityError('bad_data', `unknown escape sequence \\${shown} in string; write a backslash as \\\\`);
  }
  const code = codeOf(body.slice(at + 1, at + 1 + digits), digits, 16);
  if (char === 'x') return { bytes: Buffer.from([code]), length: 3 };
  if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
    throw new ComityError('bad_data', 'escape sequence is an invalid Unicode code point');
  }
  return { bytes: Buffer.from(String.fromCodePoint(code)), length: digits + 1 };
}

function codeOf(text: string, length: number, radix: 8 | 16): number {
  const valid = radix === 8 ? /^[0-7]+$/ : /^[\da-fA-F]+$/;
  if (text.length < length || !valid.test(text)) {
    throw new ComityError('bad_data', `escape sequence with too few digits in string: expected ${length} of them`);
  }
  return Number.parseInt(text, radix);
}
