import type { MetricType } from '../../model/batch.ts';
import { numberAfterSpace, scanSeries, wholeMillis } from './open-metrics-line.ts';
import { textSeries, type TextSeries } from './series.ts';

/** When the samples of OpenMetrics started, by the `_created` lines among them. */
export interface StartTimes {
  /** A family is declared; its name stands in the body at [nameStart, nameEnd). */
  family(nameStart: number, nameEnd: number, type: MetricType): void;
  /** When the series of a line started, in ms; 0 for unknown. */
  of(series: TextSeries): number;
}

/**
 * A `_created` line usually comes last of its metric's, so the lines of a metric are looked through when its first one
 * comes. Each line is looked at once more by this, whatever the body.
 */
export function startTimes(body: Buffer): StartTimes {
  if (!body.includes(CREATED)) return { family: () => {}, of: () => 0 };
  const peeked = textSeries(body);
  let family: Buffer | undefined;
  /** The lines before this byte belong to the metric that was looked through last. */
  let knownUntil = 0;
  let knownMs = 0;

  function lookThrough(first: TextSeries, name: Buffer): void {
    const metric = metricOf(first, body);
    let at = first.start;
    knownMs = 0;
    do {
      const end = scanSeries(peeked, body, at);
      if (!startsWith(body, peeked.nameStart, name) || metricOf(peeked, body) !== metric) break;
      if (peeked.nameEnd - peeked.nameStart === name.length + CREATED.length && isCreated(peeked, body)) {
        const startMs = wholeMillis(numberAfterSpace(body, end, 'a space and the value'));
        if (startMs > 0 && Number.isFinite(startMs)) knownMs = startMs;
      }
      at = body.indexOf(NEWLINE, end) + 1;
    } while (at < body.length && body[at] !== HASH);
    knownUntil = Math.max(at, first.start + 1);
  }

  return {
    family(nameStart, nameEnd, type) {
      const counts = type === 'counter' || type === 'histogram' || type === 'summary';
      family = counts ? body.subarray(nameStart, nameEnd) : undefined;
    },
    of(series) {
      if (family === undefined) return 0;
      if (series.start >= knownUntil) lookThrough(series, family);
      return isCreated(series, body) ? 0 : knownMs;
    },
  };
}

const CREATED = Buffer.from('_created');
const LE = Buffer.from('le');
const QUANTILE = Buffer.from('quantile');
const NEWLINE = 0x0a;
const HASH = 0x23;

/** The labels that a metric's series share, as they stand in the body: all but those of buckets and quantiles. */
function metricOf(series: TextSeries, body: Buffer): string {
  const { offsets, used } = series;
  let metric = '';
  let from = 0;
  for (let i = 0; i <= used; i += 4) {
    if (
      i < used &&
      !isName(body, offsets[i]!, offsets[i + 1]!, LE) &&
      !isName(body, offsets[i]!, offsets[i + 1]!, QUANTILE)
    ) {
      continue;
    }
    if (i > from) metric += `${body.toString('latin1', offsets[from], offsets[i - 1])}\n`;
    from = i + 4;
  }
  return metric;
}

function isCreated(series: TextSeries, body: Buffer): boolean {
  const at = series.nameEnd - CREATED.length;
  return at >= series.nameStart && startsWith(body, at, CREATED);
}

function isName(body: Buffer, start: number, end: number, name: Buffer): boolean {
  return end - start === name.length && startsWith(body, start, name);
}

function startsWith(body: Buffer, at: number, text: Buffer): boolean {
  for (let i = 0; i < text.length; i++) if (body[at + i] !== text[i]) return false;
  return true;
}
