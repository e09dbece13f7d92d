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

/** Each alternative reads every digit once, so that a long run of digits takes linear time. */
const NUMBER_FORM =
  /^(?:0x_?[\da-f]+(?:_[\da-f]+)*|(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+(?:_\d+)*)?)$/;

/**
 * The value of a number token (not of a duration): decimal with optional fraction and exponent, hexadecimal with `0x`,
 * octal with a leading 0, `Inf` and `NaN` in any case, underscores between digits. Throws `bad_data` for anything else and
 * when the number is too large for a float.
 */
export function numberValue(text: string): number {
  const word = text.toLowerCase();
  if (word === 'inf') return Number.POSITIVE_INFINITY;
  if (word === 'nan') return Number.NaN;
  if (!NUMBER_FORM.test(word)) throw new ComityError('bad_data', `bad number syntax: ${JSON.stringify(shorten(text))}`);
  const digits = word.replaceAll('_', '');
  // An octal number beyond 64 bits is read as decimal by Prometheus, and so here.
  if (/^0[0-7]+$/.test(digits) && BigInt(`0o${digits}`) < 2n ** 63n) return Number(BigInt(`0o${digits}`));
  const value = Number(digits);
  if (!Number.isFinite(value) || (word.startsWith('0x') && BigInt(digits) >= 2n ** 63n)) {
    throw new ComityError('bad_data', `number out of range: ${shorten(text)}`);
  }
  return value;
}

/**
 * The value of a string token with its quotes: Go's escapes in `"` and `'`, none in backticks. A byte that is no part of a
 * character (`\xff`) becomes the lone surrogate U+DC80 + (byte - 0x80), so that `isWellFormed()` tells whether the string is
 * valid UTF-8. Throws `bad_data` for an unknown or cut-off escape, and for text with U+FFFD in it.
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
  return textOfBytes(Buffer.concat(chunks));
}

/** Bytes of a character beyond ASCII, or a byte that is no part of any, as Latin-1. */
const BEYOND_ASCII =
  /[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[\x80-\xff]/g;

function textOfBytes(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replace(BEYOND_ASCII, (found) =>
      found.length === 1
        ? String.fromCharCode(STRAY_BYTE + found.charCodeAt(0))
        : Buffer.from(found, 'latin1').toString(),
    );
}

/** A byte from 0x80 on stands as this much higher, among the low surrogates. */
const STRAY_BYTE = 0xdc00;

/** The string as a double-quoted literal that reads back as the same string. */
export function quoteString(value: string): string {
  return `"${value.replace(NOT_PLAIN, escapeChar)}"`;
}

/** Whatever Go does not count as printable, and U+FFFD, which PromQL does not take as it is. */
const NOT_PLAIN = /["\\\ufffd]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu;

/** A text as it stands in a message, cut where it is long. */
export function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

function escapeChar(char: string): string {
  if (char === '"' || char === '\\') return `\\${char}`;
  const code = char.codePointAt(0)!;
  for (const [letter, byte] of SIMPLE_ESCAPES) if (byte === code) return `\\${letter}`;
  const isStray = code >= STRAY_BYTE + 0x80 && code <= STRAY_BYTE + 0xff;
  const hex = (isStray ? code - STRAY_BYTE : char.isWellFormed() ? code : 0xfffd).toString(16);
  if (code < 0x80 || isStray) return `\\x${hex.padStart(2, '0')}`;
  return hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
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
