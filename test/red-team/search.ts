import { gunzipSync, inflateRawSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import { COUNT_TEXT, NUMBER_HEAD, NUMBER_TEXT, STEM, type Canaries } from './canaries.ts';

/** A canary where it must not be. */
export interface Finding {
  /** The place of the world that it was put in. */
  readonly place: string;
  /** How it was written: `text`, `base64: text`, `zstd: float64`, … */
  readonly form: string;
}

/**
 * The canaries in some bytes: as they are, in other letters, escaped, encoded, compressed, as numbers in text and in the forms
 * that protocol buffers have, and all that again in what each of these turns out to hold.
 */
export function search(bytes: Uint8Array, canaries: Canaries): readonly Finding[] {
  const found = new Map<string, Finding>();
  look(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), [], canaries, found);
  return [...found.values()];
}

/** Encodings within encodings that are opened. */
const DEPTH = 4;

/** More than an answer may have. */
const OPENED_BYTES_MAX = 128 * 1024 * 1024;

/** Larger ones are files, in which nothing is delta-coded. */
const PROTOBUF_BYTES_MAX = 4 * 1024 * 1024;

type Found = Map<string, Finding>;

function look(bytes: Buffer, within: readonly string[], canaries: Canaries, found: Found): void {
  const report = (place: string, form: string): void => {
    const finding = { place, form: [...within, form].join(': ') };
    found.set(JSON.stringify(finding), finding);
  };
  lookAtText(bytes.toString('latin1').toLowerCase(), 'text', canaries, report);
  lookAtFloats(bytes, canaries, report);
  lookAtCounts(bytes, canaries, report);
  if (within.length >= DEPTH) return;
  for (const [form, opened] of openings(bytes)) look(opened, [...within, form], canaries, found);
  if (bytes.length <= PROTOBUF_BYTES_MAX) lookAtVarints(bytes, canaries, report);
}

type Report = (place: string, form: string) => void;

function lookAtText(text: string, form: string, canaries: Canaries, report: Report): void {
  for (let at = text.indexOf(STEM); at >= 0; at = text.indexOf(STEM, at + 1)) report(canaries.wordAt(text, at)!, form);
  for (const [known, place] of canaries.texts) if (text.includes(known)) report(place, form);
  if (text.includes(NUMBER_TEXT)) {
    for (const [digits] of text.matchAll(DECIMAL)) {
      // Nothing else of the worlds comes near, so that one cut short is one too.
      report(canaries.placeOf(Number(digits)) ?? `a number cut short: ${digits}`, 'decimal');
    }
  }
  if (text.includes(COUNT_TEXT) || text.includes(COUNT_POINT)) {
    for (const [digits] of text.matchAll(WHOLE)) {
      const place = canaries.counts.get(Number(digits));
      if (place !== undefined) report(place, 'decimal');
    }
  }
}

const DECIMAL = new RegExp(`${NUMBER_TEXT.replace('.', '\\.')}\\d*`, 'g');
const COUNT_POINT = `${COUNT_TEXT[0]}.${COUNT_TEXT.slice(1)}`;
const WHOLE = /\d+(?:\.\d+)?(?:e\+?\d+)?/g;

/** Numbers as float64 at any offset, either end first. */
function lookAtFloats(bytes: Buffer, canaries: Canaries, report: Report): void {
  for (const [head, isLittle] of HEADS) {
    for (let at = bytes.indexOf(head); at >= 0; at = bytes.indexOf(head, at + 1)) {
      const from = isLittle ? at - head.length : at;
      if (from < 0 || from + 8 > bytes.length) continue;
      const value = Math.abs(isLittle ? bytes.readDoubleLE(from) : bytes.readDoubleBE(from));
      report(canaries.placeOf(value) ?? `a number like a canary: ${value}`, 'float64');
    }
  }
}

const NEGATIVE = 0x80000000;

function headBytes(sign: number): Buffer {
  const head = Buffer.alloc(4);
  head.writeUint32BE(NUMBER_HEAD + sign);
  return head;
}

/** The first half of a canary and of its negative, and whether it is the last in the bytes. */
const HEADS: readonly (readonly [Buffer, boolean])[] = [0, NEGATIVE].flatMap((sign) => [
  [headBytes(sign).reverse(), true] as const,
  [headBytes(sign), false] as const,
]);

function lookAtCounts(bytes: Buffer, canaries: Canaries, report: Report): void {
  for (const [count, place] of canaries.counts) {
    for (const { form, pattern } of countForms(count)) if (bytes.includes(pattern)) report(place, form);
  }
}

interface Pattern {
  readonly form: string;
  readonly pattern: Buffer;
}

const formsOfCounts = new Map<number, readonly Pattern[]>();

function countForms(count: number): readonly Pattern[] {
  let forms = formsOfCounts.get(count);
  if (forms === undefined) {
    const float = Buffer.alloc(8);
    float.writeDoubleLE(count);
    forms = [
      { form: 'varint', pattern: varint(count) },
      { form: 'zigzag varint', pattern: varint(count * 2) },
      { form: 'float64', pattern: float },
      { form: 'float64', pattern: Buffer.from(float).reverse() },
    ];
    formsOfCounts.set(count, forms);
  }
  return forms;
}

/** A whole number as protocol buffers write it. */
export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) | 128);
  bytes.push(left);
  return Buffer.from(bytes);
}

/** Differences: a list of varints anywhere in the bytes whose running sum comes to a canary. */
function lookAtVarints(bytes: Buffer, canaries: Canaries, report: Report): void {
  for (const block of lengthDelimited(bytes, 0, bytes.length, 0)) {
    let [sum, zigzag] = [0, 0];
    for (const value of varintsOf(block)) {
      sum += value;
      zigzag += value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      for (const reached of [sum, zigzag]) {
        const place = canaries.counts.get(reached);
        if (place !== undefined) report(place, 'varint differences');
      }
    }
  }
}

/** What the fields of a message hold, at any depth, as far as the bytes can be read as one. */
function* lengthDelimited(bytes: Buffer, from: number, to: number, depth: number): Generator<Buffer> {
  if (depth > 12) return;
  for (let at = from; at < to;) {
    const tag = readVarint(bytes, at, to);
    if (tag === undefined || tag.value < 8) return;
    at = tag.end;
    switch (tag.value % 8) {
      case 0: {
        const value = readVarint(bytes, at, to);
        if (value === undefined) return;
        at = value.end;
        break;
      }
      case 1:
        at += 8;
        break;
      case 5:
        at += 4;
        break;
      case 2: {
        const length = readVarint(bytes, at, to);
        if (length === undefined || length.end + length.value > to) return;
        at = length.end + length.value;
        yield bytes.subarray(length.end, at);
        yield* lengthDelimited(bytes, length.end, at, depth + 1);
        break;
      }
      default:
        return;
    }
  }
}

function readVarint(bytes: Buffer, from: number, to: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let at = from, scale = 1; at < to && at < from + 8; at++, scale *= 128) {
    value += (bytes[at]! % 128) * scale;
    if (bytes[at]! < 128) return { value, end: at + 1 };
  }
  return undefined;
}

function* varintsOf(block: Buffer): Generator<number> {
  for (let at = 0; at < block.length;) {
    const one = readVarint(block, at, block.length);
    if (one === undefined) return;
    yield one.value;
    at = one.end;
  }
}

/** What the bytes hold in another encoding. */
function* openings(bytes: Buffer): Generator<readonly [form: string, opened: Buffer]> {
  for (const { form, magic, open } of COMPRESSIONS) {
    for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) {
      const opened = attempt(() => open(bytes.subarray(at), { maxOutputLength: OPENED_BYTES_MAX }));
      if (opened !== undefined) yield [form, opened];
    }
  }
  const text = bytes.toString('latin1');
  if (text.includes('%')) {
    const opened = text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    if (opened !== text) yield ['percent', Buffer.from(opened, 'latin1')];
  }
  if (text.includes('\\')) {
    const opened = text
      .replace(/\\u([0-9A-Fa-f]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
      .replace(/\\x([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    if (opened !== text) yield ['escaped', Buffer.from(opened, 'utf8')];
  }
  if (bytes.includes(0)) {
    // UTF-16 and UTF-32, either end first.
    const opened = bytes.filter((byte) => byte !== 0);
    if (Buffer.from(opened).toString('latin1').toLowerCase().includes(STEM)) yield ['wide', Buffer.from(opened)];
  }
  for (const [run] of text.matchAll(BASE64)) {
    const plain = run.replaceAll('-', '+').replaceAll('_', '/');
    // Where the run began with something else.
    for (let skip = 0; skip < 4; skip++) {
      const opened = Buffer.from(plain.slice(skip), 'base64');
      if (isWorthOpening(opened)) yield ['base64', opened];
    }
  }
  for (const [run] of text.matchAll(HEX)) {
    for (const skip of [0, 1]) {
      const opened = Buffer.from(run.slice(skip), 'hex');
      if (isWorthOpening(opened)) yield ['hex', opened];
    }
  }
}

/** Eight bytes and more: a number or a word. */
const BASE64 = /[A-Za-z0-9+/_-]{11,}/g;
const HEX = /[0-9A-Fa-f]{16,}/g;

const COMPRESSIONS: readonly {
  readonly form: string;
  readonly magic: Buffer;
  open(bytes: Buffer, options: { readonly maxOutputLength: number }): Buffer;
}[] = [
  { form: 'gzip', magic: Buffer.from([0x1f, 0x8b, 8]), open: gunzip },
  { form: 'zstd', magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), open: zstdDecompressSync },
  { form: 'deflate', magic: Buffer.from([0x78, 0x9c]), open: inflateSync },
];

/** Whatever follows it; Node's own function wants the end of the bytes there, or another member. */
function gunzip(bytes: Buffer, options: { readonly maxOutputLength: number }): Buffer {
  return bytes[3] === 0 ? inflateRawSync(bytes.subarray(10), options) : gunzipSync(bytes, options);
}

/** Long words decode to noise, which is not looked into: text, a number's bytes or something compressed stand out. */
function isWorthOpening(bytes: Buffer): boolean {
  if (bytes.length < 8) return false;
  if (bytes.toString('latin1').toLowerCase().includes(STEM)) return true;
  if (HEADS.some(([head]) => bytes.includes(head))) return true;
  if (COMPRESSIONS.some(({ magic }) => bytes.indexOf(magic) === 0)) return true;
  const printable = bytes.filter((byte) => byte >= 32 && byte < 127).length;
  return printable >= bytes.length * 0.9;
}

function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
