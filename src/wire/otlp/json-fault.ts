/** Where a JSON text that the parser refused is wrong, as `line 3, column 7`, both from 1; columns count characters. */
export function placeOfFault(body: Uint8Array): string {
  const scan = { body, pos: 0 };
  scanText(scan);
  return placeOf(body, scan.pos);
}

/** The same for a body that is not UTF-8. */
export function placeOfBadUtf8(body: Uint8Array): string {
  return placeOf(body, badUtf8At(body));
}

/** A scan ends at the first byte that JSON's grammar does not allow, or at the end of a text that ends too early. */
interface Scan {
  readonly body: Uint8Array;
  pos: number;
}

/** What may come next; where it is the first of an object or array, that may end as well. */
type Want = 'value' | 'first value' | 'key' | 'first key' | 'colon' | 'end';

const COLON = 0x3a;
const COMMA = 0x2c;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OBJECT_END = 0x7d;
const CLOSERS: Readonly<Record<number, number>> = { 0x7b: OBJECT_END, 0x5b: 0x5d };
const WORDS: Readonly<Record<number, string>> = { 0x74: 'true', 0x66: 'false', 0x6e: 'null' };

function scanText(scan: Scan): void {
  const closers: number[] = [];
  let want: Want = 'value';
  for (;;) {
    while (isSpace(scan.body[scan.pos])) scan.pos++;
    const byte = scan.body[scan.pos];
    if (byte === undefined) return;
    const closer = CLOSERS[byte];
    if (byte === closers.at(-1) && (want === 'end' || want.startsWith('first'))) {
      closers.pop();
      want = 'end';
      scan.pos++;
    } else if (want === 'end') {
      if (byte !== COMMA || closers.length === 0) return;
      want = closers.at(-1) === OBJECT_END ? 'key' : 'value';
      scan.pos++;
    } else if (want === 'colon') {
      if (byte !== COLON) return;
      want = 'value';
      scan.pos++;
    } else if (want === 'key' || want === 'first key') {
      if (byte !== QUOTE || !scanString(scan)) return;
      want = 'colon';
    } else if (closer !== undefined) {
      closers.push(closer);
      want = closer === OBJECT_END ? 'first key' : 'first value';
      scan.pos++;
    } else {
      if (!scanScalar(scan, byte)) return;
      want = 'end';
    }
  }
}

/** Whether a string, number or word was passed; the same holds for the functions below. */
function scanScalar(scan: Scan, first: number): boolean {
  if (first === QUOTE) return scanString(scan);
  const word = WORDS[first];
  if (word === undefined) return scanNumber(scan);
  for (const char of word) {
    if (scan.body[scan.pos] !== char.charCodeAt(0)) return false;
    scan.pos++;
  }
  return true;
}

function scanNumber(scan: Scan): boolean {
  const { body } = scan;
  if (body[scan.pos] === 0x2d /* - */) scan.pos++;
  if (body[scan.pos] === 0x30 /* 0 */) scan.pos++;
  else if (!scanDigits(scan)) return false;
  if (body[scan.pos] === 0x2e /* . */) {
    scan.pos++;
    if (!scanDigits(scan)) return false;
  }
  if (body[scan.pos] === 0x65 || body[scan.pos] === 0x45 /* e, E */) {
    scan.pos++;
    if (body[scan.pos] === 0x2b || body[scan.pos] === 0x2d /* +, - */) scan.pos++;
    return scanDigits(scan);
  }
  return true;
}

/** At least one digit. */
function scanDigits(scan: Scan): boolean {
  const start = scan.pos;
  while (isDigit(scan.body[scan.pos])) scan.pos++;
  return scan.pos > start;
}

function scanString(scan: Scan): boolean {
  const { body } = scan;
  for (scan.pos++; scan.pos < body.length; scan.pos++) {
    const byte = body[scan.pos]!;
    if (byte === QUOTE) {
      scan.pos++;
      return true;
    }
    if (byte < 0x20) return false;
    if (byte !== BACKSLASH) continue;
    scan.pos++;
    if (body[scan.pos] === 0x75 /* u */) {
      for (let i = 0; i < 4; i++) {
        scan.pos++;
        if (!isHex(body[scan.pos])) return false;
      }
    } else if (!ESCAPED.has(body[scan.pos] ?? 0)) {
      return false;
    }
  }
  return false;
}

const ESCAPED: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrt'));

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function isHex(byte: number | undefined): boolean {
  return byte !== undefined && (isDigit(byte) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66));
}

/** The first byte that is no part of a character. */
function badUtf8At(body: Uint8Array): number {
  let pos = 0;
  for (;;) {
    const length = characterLength(body, pos);
    if (length === 0) return pos;
    pos += length;
  }
}

/** The length of the character at `pos`, 0 where there is none (Unicode, table 3-7). */
function characterLength(body: Uint8Array, pos: number): number {
  const first = body[pos] ?? 0xff;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const second = body[pos + 1] ?? 0;
  // Longer forms than needed, surrogates and what lies beyond the last code point.
  if (first === 0xe0 && second < 0xa0) return 0;
  if (first === 0xed && second > 0x9f) return 0;
  if (first === 0xf0 && second < 0x90) return 0;
  if (first === 0xf4 && second > 0x8f) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  for (let i = 1; i < length; i++) if (((body[pos + i] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}

function placeOf(body: Uint8Array, offset: number): string {
  let line = 1;
  let lineStart = 0;
  for (let i = 0; i < offset; i++) {
    if (body[i] !== 0x0a) continue;
    line++;
    lineStart = i + 1;
  }
  let column = 1;
  for (let i = lineStart; i < offset; i++) if ((body[i]! & 0xc0) !== 0x80) column++;
  return `line ${line}, column ${column}`;
}
