import type { MetricType } from '../../model/batch.ts';
import { classicCollector } from './classic-collector.ts';
import { decodeHelp, familyLines } from './families.ts';
import { readFloat } from './float.ts';
import { blanksEnd, decodeName, LOOSE, metricNameEnd, quotedNameEnd, scanLabels } from './labels.ts';
import { malformed, refused } from './malformed.ts';
import { endedByNewline, textSeries } from './series.ts';
import type { ExpositionSink, ParseOptions } from './sink.ts';

const NEWLINE = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const HASH = 0x23;
const OPEN = 0x7b;
const QUOTE = 0x22;

const TYPES: ReadonlyMap<string, MetricType> = new Map([
  ['counter', 'counter'],
  ['gauge', 'gauge'],
  ['histogram', 'histogram'],
  ['summary', 'summary'],
  ['untyped', 'unknown'],
]);

/**
 * Reads Prometheus's text format, 0.0.4 and 1.0.0
 * (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format), as Prometheus does where it and the
 * document differ. Throws `bad_data` with line and column.
 */
export function parseText(bytes: Uint8Array, options: ParseOptions, sink: ExpositionSink): void {
  const body = endedByNewline(bytes);
  const classic = options.toCustomBuckets ? classicCollector(sink, options) : undefined;
  const out = classic ?? sink;
  const families = familyLines((metadata) => out.metadata(metadata));
  const series = textSeries(body);
  const { length } = body;

  /** A line from the `#` at `hash`; where the next line starts. */
  function metaLine(hash: number): number {
    classic?.interrupt();
    const lineEnd = body.indexOf(NEWLINE, hash);
    let at = blanksEnd(body, hash + 1);
    const keyword = at > hash + 1 ? body.toString('latin1', at, at + 4) : '';
    const isMeta = (keyword === 'HELP' || keyword === 'TYPE') && isBlank(body[at + 4]!);
    // A zero ends the exposition also in a comment, where no other character stands between it and the "#" or the blank.
    if (!isMeta) return hasZero(body, hash + 1, at, lineEnd) ? length : lineEnd + 1;
    at = blanksEnd(body, at + 4);
    const nameStart = at;
    at = body[at] === QUOTE ? quotedNameEnd(body, at, false) : metricNameEnd(body, at);
    if (at === nameStart) throw malformed(body, at, `expected a metric name after ${keyword}`);
    const quotes = body[nameStart] === QUOTE ? 1 : 0;
    const metric = decodeName(body, nameStart + quotes, at - quotes);
    // A name in quotes may have gone on to another line.
    const end = body.indexOf(NEWLINE, at);
    // Whatever stands between the name and the text, one byte of it parts them; blanks alone are no text.
    if (body[at] === 0) throw malformed(body, at, `expected a blank and the text of ${keyword}`);
    const textStart = blanksEnd(body, at) === end ? end : at + 1;
    if (keyword === 'HELP') {
      families.help(metric, decodeHelp(body, textStart, end, false));
      return end + 1;
    }
    const type = TYPES.get(body.toString('latin1', textStart, Math.min(end, textStart + 20)));
    if (type === undefined)
      throw malformed(body, textStart, `expected one of the types ${[...TYPES.keys()].join(', ')}`);
    families.type(metric, type);
    series.type = type;
    classic?.family(metric, type);
    return end + 1;
  }

  /** A sample from `start`; `first` is its first byte that is no blank. Where the next line starts. */
  function sampleLine(start: number, first: number): number {
    let at = first;
    series.start = start;
    series.used = 0;
    series.nameStart = -1;
    if (body[at] !== OPEN) {
      at = metricNameEnd(body, at);
      if (at === first) throw malformed(body, at, 'expected a metric name, "{" or "#"');
      // Blanks before the name become part of it: so Prometheus 3.15 reads it.
      series.nameStart = start;
      series.nameEnd = at;
      series.end = at;
      at = blanksEnd(body, at);
    }
    if (body[at] === OPEN) {
      at = scanLabels(series, body, at + 1, LOOSE);
      series.end = at;
      at = blanksEnd(body, at);
    }
    if (series.nameStart < 0) throw refused(body, first, 'the series has no metric name');
    const valueStart = at;
    for (let byte = body[at]!; byte !== SPACE && byte !== NEWLINE && byte !== TAB && byte !== OPEN;) byte = body[++at]!;
    const value = readFloat(body, valueStart, at);
    if (value === undefined) throw malformed(body, valueStart, 'expected a number');
    at = blanksEnd(body, at);
    let timeMs: number | undefined;
    if (body[at] !== NEWLINE) {
      const timeStart = at;
      while (isDigit(body[at]!)) at++;
      timeMs = readMillis(body, timeStart, at);
      if (timeMs === undefined)
        throw malformed(body, timeStart, 'expected a time in milliseconds or the end of the line');
      at = blanksEnd(body, at);
      if (body[at] !== NEWLINE) throw malformed(body, at, 'expected the end of the line after the time');
    }
    out.sample(series, value, timeMs, 0);
    return at + 1;
  }

  for (let at = 0; at < length;) {
    const first = blanksEnd(body, at);
    const byte = body[first]!;
    if (byte === NEWLINE) at = first + 1;
    // A zero where a line starts ends the exposition.
    else if (byte === 0) break;
    else if (byte === HASH) at = metaLine(first);
    else {
      families.flush();
      at = sampleLine(at, first);
    }
  }
  families.flush();
  classic?.interrupt();
}

/** Digits that are a safe integer for sure. */
const SAFE_DIGITS = 15;
const INT64_MAX = 2n ** 63n - 1n;

/** Digits in `body[start, end)` as a 64-bit integer; undefined for none or too large a number. */
function readMillis(body: Buffer, start: number, end: number): number | undefined {
  if (start === end) return undefined;
  if (end - start <= SAFE_DIGITS) {
    let millis = 0;
    for (let at = start; at < end; at++) millis = millis * 10 + (body[at]! - 0x30);
    return millis;
  }
  let digits = start;
  while (digits < end && body[digits] === 0x30) digits++;
  if (end - digits > 19) return undefined;
  const millis = BigInt(body.toString('latin1', digits, end));
  return millis > INT64_MAX ? undefined : Number(millis);
}

/** Whether a comment whose text starts at `text` holds a zero that ends the exposition. */
function hasZero(body: Buffer, afterHash: number, text: number, lineEnd: number): boolean {
  if (text > afterHash) return body[text] === 0;
  const zero = body.indexOf(0, afterHash);
  return zero >= 0 && zero < lineEnd;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}
