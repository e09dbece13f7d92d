import { parseDuration } from '../promql/duration.ts';
import type { Expr } from '../promql/ast.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import { stringValue } from '../promql/literal.ts';
import { parseExpr } from '../promql/parse.ts';
import type { Evaluate, Expected, ExpectedSeries, Instant, Range, SequenceValue } from './command.ts';
import { noExpectations, notesExpected, parseExpect, parseOldFailure, type Expectations } from './expect-lines.ts';
import { numberAt } from './number-notation.ts';
import { scanner } from './scanner.ts';
import { failAt, placed, ScriptError, type ScriptLine } from './script-line.ts';
import { parseSeries } from './series-notation.ts';

const INSTANT = /^eval(?:_(fail|warn|ordered|info))?\s+instant\s+at\s+(\S+)\s+(\S.*)$/d;
const RANGE = /^eval(?:_(fail|warn|info))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(\S.*)$/d;
const RANGE_VECTOR = /^expect range vector\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)$/d;

/** A line that is only a number expects a scalar. */
const NUMBER_LINE = /^[+-]?(?:\d[\w.+-]*|\.\d[\w.+-]*|inf|infinity|nan)$/i;

/**
 * An `eval` command. `rest`: the lines behind it up to the next empty one; `used` of them belong to it. Throws
 * `ScriptError`.
 */
export function parseEvaluate(
  line: ScriptLine,
  rest: readonly ScriptLine[],
  features: PromqlFeatures,
): { readonly command: Evaluate; readonly used: number } {
  const head = parseHead(line);
  const expr = parseQuery(line, head, features);
  const expectations = noExpectations(head.variant);
  const series: ExpectedSeries[] = [];
  let scalar: SequenceValue | undefined;
  let text: string | undefined;
  let range: Range | undefined;
  let used = 0;
  for (const one of rest) {
    used++;
    if (head.variant === 'fail' && parseOldFailure(one, expectations)) break;
    const rangeVector = parseRangeVector(one);
    if (rangeVector !== undefined) {
      if (head.when.kind === 'range') failAt(one, 0, 'only an instant query can come to a range vector');
      range = rangeVector;
    } else if (/^expect string(?=\s|$)/.test(one.text)) {
      text = parseString(one);
    } else if (/^expect(?=\s|$)/.test(one.text)) {
      parseExpect(one, expectations);
    } else if (NUMBER_LINE.test(one.text)) {
      scalar = parseScalar(one);
      break;
    } else {
      series.push(parseExpectedSeries(one, head.when, range));
    }
  }
  return {
    used,
    command: {
      kind: 'evaluate',
      line,
      query: head.query,
      expr,
      when: range === undefined ? head.when : { kind: 'instant', timeMs: range.toMs },
      expected: expectedOf(line, expectations, { series, scalar, text, range }),
      warnings: notesExpected(line, 'warn', expectations),
      infos: notesExpected(line, 'info', expectations),
    },
  };
}

interface Head {
  readonly variant: string | undefined;
  readonly when: Instant | Range;
  readonly query: string;
  readonly queryAt: number;
}

function parseHead(line: ScriptLine): Head {
  const instant = INSTANT.exec(line.text);
  if (instant !== null) {
    const timeMs = duration(line, instant, 2);
    return { variant: instant[1], when: { kind: 'instant', timeMs }, query: instant[3]!, queryAt: start(instant, 3) };
  }
  const range = RANGE.exec(line.text);
  if (range !== null) {
    return { variant: range[1], when: rangeOf(line, range, 2), query: range[5]!, queryAt: start(range, 5) };
  }
  return failAt(
    line,
    0,
    'an evaluation is written as eval instant at <time> <query> or ' +
      'eval range from <time> to <time> step <duration> <query>',
  );
}

function parseQuery(line: ScriptLine, { query, queryAt }: Head, features: PromqlFeatures): Expr | ScriptError {
  try {
    return placed(line, queryAt, () => parseExpr(query, features));
  } catch (error) {
    if (error instanceof ScriptError) return error;
    throw error;
  }
}

/** The times in three groups of a match from group `first` on. */
function rangeOf(line: ScriptLine, match: RegExpExecArray, first: number): Range {
  const fromMs = duration(line, match, first);
  const toMs = duration(line, match, first + 1);
  if (toMs < fromMs) failAt(line, start(match, first + 1), 'the end lies before the start');
  return { kind: 'range', fromMs, toMs, stepMs: duration(line, match, first + 2) };
}

function duration(line: ScriptLine, match: RegExpExecArray, group: number): number {
  return placed(line, start(match, group), () => parseDuration(match[group]!));
}

function start(match: RegExpExecArray, group: number): number {
  return match.indices![group]![0];
}

function parseRangeVector(line: ScriptLine): Range | undefined {
  if (!/^expect range vector(?=\s|$)/.test(line.text)) return undefined;
  const match = RANGE_VECTOR.exec(line.text);
  if (match !== null) return rangeOf(line, match, 1);
  return failAt(line, 0, 'this is written as expect range vector from <time> to <time> step <duration>');
}

const QUOTED = /^(?:"(?:[^"\\]|\\.)*"|`[^`]*`)$/;

function parseString(line: ScriptLine): string {
  const token = line.text.replace(/^expect string\s*/, '');
  const at = line.text.length - token.length;
  if (!QUOTED.test(token)) failAt(line, at, 'expected a string in double or back quotes');
  return placed(line, at, () => stringValue(token));
}

function parseScalar(line: ScriptLine): SequenceValue {
  // Go's names of infinity are longer than PromQL's.
  const text = line.text.replace(/infinity$/i, 'Inf');
  const scan = scanner({ ...line, text });
  const value = numberAt(scan, 'a number');
  if (!scan.done) scan.expected('the end of the line');
  return { kind: 'float', value };
}

function parseExpectedSeries(line: ScriptLine, when: Instant | Range, range: Range | undefined): ExpectedSeries {
  const series = { ...parseSeries(line), line };
  if (when.kind === 'range' || range !== undefined) return series;
  if (series.values.length === 1 && series.values[0]!.kind !== 'none') return series;
  return failAt(
    line,
    0,
    `${series.values.length} values for an instant query, which has one a series; ` +
      'a range vector needs an "expect range vector" line before',
  );
}

interface Results {
  readonly series: readonly ExpectedSeries[];
  readonly scalar: SequenceValue | undefined;
  readonly text: string | undefined;
  readonly range: Range | undefined;
}

function expectedOf(line: ScriptLine, { failures, ordered }: Expectations, results: Results): Expected {
  const { series, scalar, text, range } = results;
  if (failures.length > 0) return { kind: 'failure', texts: failures };
  const kinds = [series.length > 0 || range !== undefined, scalar !== undefined, text !== undefined];
  if (kinds.filter(Boolean).length > 1) failAt(line, 0, 'this expects results of more than one kind');
  if (scalar !== undefined) return { kind: 'scalar', value: scalar };
  if (text !== undefined) return { kind: 'string', value: text };
  return { kind: 'series', series, ordered, range };
}
