import type { MetricType } from '../../model/batch.ts';
import { classicCollector } from './classic-collector.ts';
import { decodeHelp, familyLines } from './families.ts';
import {
  decodeExemplarLabels,
  decodeName,
  EXEMPLAR,
  labelOffsets,
  metricNameEnd,
  quotedNameEnd,
  scanLabels,
} from './labels.ts';
import { malformed } from './malformed.ts';
import { isExemplar, numberAfterSpace, scanSeries, timeAfterSpace, wordEnd } from './open-metrics-line.ts';
import { endedByNewline, textSeries } from './series.ts';
import type { ExpositionSink, ParseOptions } from './sink.ts';
import { startTimes } from './start-times.ts';

const NEWLINE = 0x0a;
const SPACE = 0x20;
const HASH = 0x23;
const QUOTE = 0x22;

const TYPES: ReadonlyMap<string, MetricType> = new Map(
  (['counter', 'gauge', 'histogram', 'gaugehistogram', 'summary', 'info', 'stateset', 'unknown'] as const).map(
    (type) => [type, type],
  ),
);

/**
 * Reads OpenMetrics 1.0.0 (https://prometheus.io/docs/specs/om/open_metrics_spec/), as Prometheus does where it and the
 * document differ: `_created` lines are samples like any other, and besides say when the samples of their metric
 * started. Throws `bad_data` with line and column.
 */
export function parseOpenMetrics(bytes: Uint8Array, options: ParseOptions, sink: ExpositionSink): void {
  const body = endedByNewline(bytes);
  const classic = options.toCustomBuckets ? classicCollector(sink, options) : undefined;
  const out = classic ?? sink;
  const families = familyLines((metadata) => out.metadata(metadata));
  const series = textSeries(body);
  const exemplar = labelOffsets();
  const starts = startTimes(body);

  /** A line that starts with `#`; where the next line starts, or the length of the body after `# EOF`. */
  function metaLine(start: number): number {
    classic?.interrupt();
    const keyword = body.toString('latin1', start, start + 7);
    if (keyword.startsWith('# EOF')) {
      const end = keyword[5] === '\n' ? start + 6 : start + 5;
      if (end < body.length) throw malformed(body, end, 'expected nothing after # EOF');
      return END;
    }
    if (keyword !== '# HELP ' && keyword !== '# TYPE ' && keyword !== '# UNIT ') {
      throw malformed(body, start, 'expected "# HELP ", "# TYPE ", "# UNIT " or "# EOF"');
    }
    const nameStart = start + 7;
    const quotes = body[nameStart] === QUOTE ? 1 : 0;
    const nameEnd = quotes === 1 ? quotedNameEnd(body, nameStart, false) : metricNameEnd(body, nameStart);
    if (nameEnd === nameStart) throw malformed(body, nameStart, `expected a metric name after "${keyword}"`);
    const metric = decodeName(body, nameStart + quotes, nameEnd - quotes);
    if (body[nameEnd] !== SPACE) throw malformed(body, nameEnd, 'expected a space and a text after the metric name');
    const textStart = nameEnd + 1;
    const end = body.indexOf(NEWLINE, textStart);
    if (end < 0) throw malformed(body, body.length, 'expected a line break and "# EOF"');
    if (keyword === '# HELP ') {
      families.help(metric, decodeHelp(body, textStart, end, true));
    } else if (keyword === '# UNIT ') {
      families.unit(metric, unitOf(metric, textStart, end));
    } else {
      const type = TYPES.get(body.toString('latin1', textStart, Math.min(end, textStart + 20)));
      if (type === undefined) {
        throw malformed(body, textStart, `expected one of the types ${[...TYPES.keys()].join(', ')}`);
      }
      families.type(metric, type);
      series.type = type;
      starts.family(nameStart + quotes, nameEnd - quotes, type);
      classic?.family(metric, type);
    }
    return end + 1;
  }

  function unitOf(metric: string, start: number, end: number): string {
    const unit = body.toString('utf8', start, Math.min(end, start + metric.length * 4));
    if (unit !== '' && !metric.endsWith(`_${unit}`)) {
      throw malformed(body, start, `expected the unit that the name ${JSON.stringify(metric)} ends with after "_"`);
    }
    return unit;
  }

  /** A sample; where the next line starts. */
  function sampleLine(start: number): number {
    let at = scanSeries(series, body, start);
    const value = numberAfterSpace(body, at, 'a space and the value');
    at = wordEnd(body, at + 1);
    let timeMs: number | undefined;
    if (body[at] === SPACE && !isExemplar(body, at)) {
      timeMs = timeAfterSpace(body, at);
      at = wordEnd(body, at + 1);
    }
    const exemplarAt = isExemplar(body, at) ? at + 4 : undefined;
    if (exemplarAt === undefined && body[at] !== NEWLINE) {
      throw malformed(body, at, 'expected an exemplar ( # {) or the end of the line');
    }
    if (exemplarAt === undefined) {
      out.sample(series, value, timeMs, starts.of(series));
      return at + 1;
    }
    exemplar.used = 0;
    at = scanLabels(exemplar, body, exemplarAt, EXEMPLAR);
    const exemplarValue = numberAfterSpace(body, at, "a space and the exemplar's value");
    at = wordEnd(body, at + 1);
    let exemplarMs: number | undefined;
    if (body[at] === SPACE) {
      exemplarMs = timeAfterSpace(body, at);
      at = wordEnd(body, at + 1);
    }
    if (body[at] !== NEWLINE) throw malformed(body, at, 'expected the end of the line after the exemplar');
    out.sample(series, value, timeMs, starts.of(series));
    out.exemplar(decodeExemplarLabels(exemplar, body), exemplarValue, exemplarMs);
    return at + 1;
  }

  for (let at = 0; at !== END;) {
    if (at === body.length) throw malformed(body, at, 'expected "# EOF" as the last line');
    if (body[at] === HASH) {
      at = metaLine(at);
    } else {
      families.flush();
      at = sampleLine(at);
    }
  }
  families.flush();
  classic?.interrupt();
}

const END = -1;
