import type { Labels } from '../model/labels.ts';
import { parseDuration } from '../promql/duration.ts';
import { parseLabels } from './labels-notation.ts';
import { scanner, type Scanner } from './scanner.ts';
import { failAt, placed, type ScriptLine } from './script-line.ts';
import { VALUES_MAX } from './series-notation.ts';

/** Where counters started, sample by sample: ms relative to the sample's time, undefined where that is unknown. */
export interface StartTimes {
  readonly labels: Labels;
  readonly offsetsMs: readonly (number | undefined)[];
}

/** A line that gives start times rather than values has `@st` right behind its series. */
export function hasStartTimes({ text }: ScriptLine): boolean {
  return /^\S*@st(?=\s)/.test(text);
}

/**
 * A line such as `name{label="value"}@st -1m -30sx4 _ -1m+10sx3`: offsets from the sample's time, repeated and stepped as the
 * values of a series are. Throws `ScriptError`.
 */
export function parseStartTimes(line: ScriptLine): StartTimes {
  const scan = scanner(line);
  const labels = parseLabels(scan);
  if (!scan.accept('@st')) scan.expected('"@st"');
  const offsetsMs: (number | undefined)[] = [];
  while (!scan.done) {
    if (scan.take(SPACES) === undefined) scan.expected('a space before the next start time');
    if (!scan.done) appendItem(scan, offsetsMs);
  }
  return { labels, offsetsMs };
}

const SPACES = /[ \t]+/y;
const DURATION = /[+-]?\d+[a-wyzA-Z]*/y;
const COUNT = /x\d+/y;

function appendItem(scan: Scanner, offsetsMs: (number | undefined)[]): void {
  if (scan.accept('_')) {
    const times = repetitions(scan) ?? 1;
    if (times === 0) scan.expected('at least one repetition before this');
    return append(scan, offsetsMs, times, undefined, 0);
  }
  const first = durationAt(scan);
  const sign = scan.line.text[scan.at];
  if (sign !== '+' && sign !== '-') return append(scan, offsetsMs, (repetitions(scan) ?? 0) + 1, first, 0);
  const step = durationAt(scan);
  const times = repetitions(scan) ?? scan.expected('"x" and how often the step is taken');
  append(scan, offsetsMs, times + 1, first, step);
}

/** One unit only, so that `-1m30s` is no duration but a mistake that is told. */
function durationAt(scan: Scanner): number {
  const start = scan.at;
  const token = scan.take(DURATION) ?? scan.expected('a duration such as -1m, or "_"');
  const ms = placed(scan.line, start, () => parseDuration(token.replace(/^[+-]/, '')));
  return token.startsWith('-') ? -ms : ms;
}

function repetitions(scan: Scanner): number | undefined {
  const token = scan.take(COUNT);
  return token === undefined ? undefined : Number(token.slice(1));
}

function append(
  scan: Scanner,
  offsetsMs: (number | undefined)[],
  count: number,
  first: number | undefined,
  stepMs: number,
): void {
  if (offsetsMs.length + count > VALUES_MAX) failAt(scan.line, scan.at, `more than ${VALUES_MAX} start times`);
  for (let i = 0; i < count; i++) offsetsMs.push(first === undefined ? undefined : first + i * stepMs);
}
