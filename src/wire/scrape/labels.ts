import { isUtf8 } from 'node:buffer';
import type { MetricType } from '../../model/batch.ts';
import { labelsFrom, METRIC_NAME, type Labels } from '../../model/labels.ts';
import { parseFloatStrict } from '../../base/numbers.ts';
import { formatLabelFloat } from './float.ts';
import { malformed, refused } from './malformed.ts';

/** Where the parts of a series stand in a body: what a line is scanned into, before anything of it is decoded. */
export interface LabelOffsets {
  /** The metric name, without quotes; -1 while there is none. */
  nameStart: number;
  nameEnd: number;
  /** Four numbers a label: the start and end of its name, the start and end of its value, all without quotes. */
  offsets: Int32Array;
  /** How many numbers of `offsets` are in use. */
  used: number;
}

export function labelOffsets(): LabelOffsets {
  return { nameStart: -1, nameEnd: -1, offsets: new Int32Array(64), used: 0 };
}

/** Text format: blanks between all parts, commas may be missing, values may go over several lines. */
export const LOOSE = 0;
/** OpenMetrics: no blanks, commas, values of one line. */
export const STRICT = 1;
/** The same for exemplars, which have no metric name. */
export const EXEMPLAR = 2;

const NEWLINE = 0x0a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const EQUALS = 0x3d;
const CLOSE = 0x7d;

/** Bytes that a label name starts with unquoted; `NAME` also has those that follow. */
const LETTER = 1;
/** Those that a metric name starts with. */
const METRIC = 2;
const DIGIT = 4;
const BLANK = 8;
const CLASSES = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  const char = String.fromCharCode(byte);
  if (/[A-Za-z_]/.test(char)) CLASSES[byte] = LETTER | METRIC;
  else if (char === ':') CLASSES[byte] = METRIC;
  else if (/\d/.test(char)) CLASSES[byte] = DIGIT;
  else if (char === ' ' || char === '\t') CLASSES[byte] = BLANK;
}

/** The end of the unquoted metric name at `at`; `at` itself where none starts. The body must end with a line break. */
export function metricNameEnd(body: Buffer, at: number): number {
  if ((CLASSES[body[at]!]! & METRIC) === 0) return at;
  let end = at + 1;
  while ((CLASSES[body[end]!]! & (METRIC | DIGIT)) !== 0) end++;
  return end;
}

/** The first byte from `at` on that is neither space nor tab. */
export function blanksEnd(body: Buffer, at: number): number {
  let end = at;
  while (CLASSES[body[end]!] === BLANK) end++;
  return end;
}

/** The end of the quoted name that starts at `at`, its closing quote included. Throws `bad_data` where it has none. */
export function quotedNameEnd(body: Buffer, at: number, oneLine: boolean): number {
  for (let end = at + 1; end < body.length; end++) {
    const byte = body[end]!;
    if (byte === QUOTE) return end + 1;
    if (byte === 0 || (oneLine && byte === NEWLINE)) break;
    if (byte === BACKSLASH && (body[++end] === NEWLINE || body[end] === 0)) break;
  }
  throw malformed(body, at, 'expected a name in quotes that are closed');
}

/** Scans labels from behind their opening brace to behind the closing one. Throws `bad_data` at what is none. */
export function scanLabels(into: LabelOffsets, body: Buffer, start: number, mode: number): number {
  const loose = mode === LOOSE;
  let at = loose ? blanksEnd(body, start) : start;
  for (;;) {
    const first = body[at]!;
    if (first === CLOSE) return at + 1;
    let nameStart = at;
    let nameEnd: number;
    if (first === QUOTE) {
      at = quotedNameEnd(body, at, mode === EXEMPLAR);
      nameStart++;
      nameEnd = at - 1;
    } else {
      if ((CLASSES[first]! & LETTER) === 0) throw malformed(body, at, 'expected a label name or "}"');
      at++;
      while ((CLASSES[body[at]!]! & (LETTER | DIGIT)) !== 0) at++;
      nameEnd = at;
    }
    if (loose) at = blanksEnd(body, at);
    const next = body[at]!;
    if (first === QUOTE && mode !== EXEMPLAR && (next === COMMA || next === CLOSE)) {
      if (into.nameStart >= 0) throw refused(body, nameStart, 'the series has a metric name already');
      into.nameStart = nameStart;
      into.nameEnd = nameEnd;
      at++;
      if (next === CLOSE) return at;
      if (loose) at = blanksEnd(body, at);
      continue;
    }
    if (next !== EQUALS) throw malformed(body, at, 'expected "=" after the label name');
    at++;
    if (loose) at = blanksEnd(body, at);
    if (body[at] !== QUOTE) throw malformed(body, at, 'expected a label value in quotes');
    const valueStart = at + 1;
    at = valueEnd(body, valueStart, loose);
    add(into, nameStart, nameEnd, valueStart, at);
    at++;
    if (loose) at = blanksEnd(body, at);
    if (body[at] === COMMA) {
      at++;
      if (loose) at = blanksEnd(body, at);
    } else if (!loose && body[at] !== CLOSE) {
      throw malformed(body, at, 'expected "," or "}" after the label value');
    }
  }
}

/** The label set that was scanned. Throws `bad_data` where Prometheus refuses it. `type` is the family's. */
export function decodeLabels(from: LabelOffsets, body: Buffer, type: MetricType | undefined): Labels {
  const pairs: string[] = [];
  const { offsets } = from;
  for (let i = 0; i < from.used; i += 4) {
    const name = decodeName(body, offsets[i]!, offsets[i + 1]!);
    const value = unescape(body.toString('utf8', offsets[i + 2], offsets[i + 3]));
    pairs.push(name, isNumberLabel(name, type) ? normalised(value) : value);
  }
  const labels = seriesLabels(decodeName(body, from.nameStart, from.nameEnd), pairs);
  if (typeof labels === 'string') throw refused(body, from.nameStart, labels);
  return labels;
}

/** The names of the labels that were scanned with an empty value. */
export function emptyNames({ offsets, used }: LabelOffsets, body: Buffer): string[] {
  const names: string[] = [];
  for (let i = 0; i < used; i += 4) {
    if (offsets[i + 2] === offsets[i + 3]) names.push(decodeName(body, offsets[i]!, offsets[i + 1]!));
  }
  return names;
}

/**
 * The label set of a metric name and of names and values in turn, or why Prometheus refuses it: a name twice, an empty
 * name.
 */
export function seriesLabels(metric: string, pairs: readonly string[]): Labels | string {
  const values = new Map<string, string>();
  const absent = new Set<string>();
  const twice = new Set<string>();
  const take = (name: string, value: string) => {
    if (value === '') absent.add(name);
    else if (values.has(name)) twice.add(name);
    else values.set(name, value);
  };
  take(METRIC_NAME, metric);
  for (let i = 0; i < pairs.length; i += 2) take(pairs[i]!, pairs[i + 1]!);
  // An empty value takes its name out of the set, however often the name comes.
  for (const name of absent) values.delete(name);
  for (const name of twice) if (!absent.has(name)) return `the series has two labels ${JSON.stringify(name)}`;
  if (!values.has(METRIC_NAME)) return 'the series has no metric name';
  if (values.has('')) return 'the series has a label without a name';
  return labelsFrom(values);
}

/** The labels of an exemplar. */
export function decodeExemplarLabels(from: LabelOffsets, body: Buffer): Labels {
  const pairs: [string, string][] = [];
  const { offsets } = from;
  for (let i = 0; i < from.used; i += 4) {
    const name = unescape(body.toString('utf8', offsets[i], offsets[i + 1]));
    pairs.push([name, unescape(body.toString('utf8', offsets[i + 2], offsets[i + 3]))]);
  }
  return labelsFrom(pairs);
}

/** A name in `body[start, end)` with its escapes undone. Throws `bad_data` where it is no UTF-8. */
export function decodeName(body: Buffer, start: number, end: number): string {
  if (!isUtf8(body.subarray(start, end))) throw refused(body, start, 'the name is no valid UTF-8');
  return unescape(body.toString('utf8', start, end));
}

/** A text with `\\`, `\"` and `\n` undone; any other backslash stands for itself. */
export function unescape(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(/\\([\\"n])/g, (_whole: string, escaped: string) => (escaped === 'n' ? '\n' : escaped));
}

/** The closing quote of a value. `loose` lets it go over several lines. */
function valueEnd(body: Buffer, start: number, loose: boolean): number {
  let at = start;
  let bits = 0;
  for (;;) {
    const byte = body[at]!;
    if (byte === QUOTE) break;
    bits |= byte;
    if (byte === BACKSLASH) {
      at++;
      // Zeros are looked through, also between a backslash and what it escapes.
      while (body[at] === 0) at++;
      if (body[at] === NEWLINE) throw malformed(body, at, 'expected what the backslash escapes');
      bits |= body[at]!;
    } else if (byte === NEWLINE && (!loose || at >= body.length - 1)) {
      throw malformed(body, start - 1, 'expected a label value in quotes that are closed');
    }
    at++;
  }
  if (bits >= 0x80 && !isUtf8(body.subarray(start, at)))
    throw refused(body, start, 'the label value is no valid UTF-8');
  return at;
}

function add(into: LabelOffsets, nameStart: number, nameEnd: number, valueStart: number, end: number): void {
  const { used } = into;
  if (used + 4 > into.offsets.length) {
    const grown = new Int32Array(into.offsets.length * 2);
    grown.set(into.offsets);
    into.offsets = grown;
  }
  const { offsets } = into;
  offsets[used] = nameStart;
  offsets[used + 1] = nameEnd;
  offsets[used + 2] = valueStart;
  offsets[used + 3] = end;
  into.used = used + 4;
}

function isNumberLabel(name: string, type: MetricType | undefined): boolean {
  return (name === 'le' && type === 'histogram') || (name === 'quantile' && type === 'summary');
}

function normalised(text: string): string {
  const value = parseFloatStrict(text);
  return value === undefined ? text : formatLabelFloat(value);
}
