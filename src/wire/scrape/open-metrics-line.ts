import { readFloat } from './float.ts';
import { metricNameEnd, scanLabels, STRICT } from './labels.ts';
import { malformed, refused } from './malformed.ts';
import type { TextSeries } from './series.ts';

const NEWLINE = 0x0a;
const SPACE = 0x20;
const HASH = 0x23;
const OPEN = 0x7b;

/** Scans the series that a line starts with into `series`; where it ends. */
export function scanSeries(series: TextSeries, body: Buffer, start: number): number {
  series.start = start;
  series.used = 0;
  series.nameStart = -1;
  let at = start;
  if (body[at] !== OPEN) {
    at = metricNameEnd(body, at);
    if (at === start) throw malformed(body, at, 'expected a metric name, "{" or "# "');
    series.nameStart = start;
    series.nameEnd = at;
  }
  if (body[at] === OPEN) at = scanLabels(series, body, at + 1, STRICT);
  if (series.nameStart < 0) throw refused(body, start, 'the series has no metric name');
  series.end = at;
  return at;
}

/** The number behind the space at `at`, which `what` names. */
export function numberAfterSpace(body: Buffer, at: number, what: string): number {
  if (body[at] !== SPACE) throw malformed(body, at, `expected ${what}`);
  const value = readFloat(body, at + 1, wordEnd(body, at + 1));
  if (value === undefined) throw malformed(body, at + 1, 'expected a number');
  return value;
}

/** The time in seconds behind the space at `at`, in whole milliseconds. */
export function timeAfterSpace(body: Buffer, at: number): number {
  const seconds = readFloat(body, at + 1, wordEnd(body, at + 1));
  if (seconds === undefined || !Number.isFinite(seconds)) throw malformed(body, at + 1, 'expected a time in seconds');
  return wholeMillis(seconds);
}

/** Without the sign of a zero. */
export function wholeMillis(seconds: number): number {
  return Math.trunc(seconds * 1000) + 0;
}

/** Whether ` # {` stands at `at`. */
export function isExemplar(body: Buffer, at: number): boolean {
  return body[at] === SPACE && body[at + 1] === HASH && body[at + 2] === SPACE && body[at + 3] === OPEN;
}

/** The end of what stands at `at`, up to a space or the end of the line. */
export function wordEnd(body: Buffer, at: number): number {
  let end = at;
  for (let byte = body[end]!; byte !== SPACE && byte !== NEWLINE;) byte = body[++end]!;
  return end;
}
