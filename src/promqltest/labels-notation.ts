import { labelsFrom, METRIC_NAME, type Labels } from '../model/labels.ts';
import { quoteString, stringValue } from '../promql/literal.ts';
import type { Scanner } from './scanner.ts';
import { failAt, placed } from './script-line.ts';

/** `name`, `name{labels}` or `{labels}`. */
export function parseLabels(scan: Scanner): Labels {
  const pairs: (readonly [string, string])[] = [];
  const start = scan.at;
  const name = scan.take(METRIC);
  if (name !== undefined) pairs.push([METRIC_NAME, name]);
  if (scan.accept('{')) parseBraces(scan, pairs);
  else if (name === undefined) scan.expected('a series such as name{label="value"}');
  const names = pairs.map(([label]) => label);
  const twice = names.find((label, i) => names.indexOf(label) < i);
  if (twice !== undefined) failAt(scan.line, start, `the label ${JSON.stringify(twice)} is given twice`);
  return labelsFrom(pairs);
}

const METRIC = /[A-Za-z_:][\w:]*/y;
const LABEL = /[A-Za-z_]\w*/y;
const QUOTED = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`/y;
const SPACES = /[ \t]+/y;

function parseBraces(scan: Scanner, pairs: (readonly [string, string])[]): void {
  for (;;) {
    scan.take(SPACES);
    if (scan.accept('}')) return;
    pairs.push(parsePair(scan));
    scan.take(SPACES);
    if (scan.accept('}')) return;
    if (!scan.accept(',')) scan.expected('"," or "}"');
  }
}

/** `label="value"`, or a quoted string alone, which is the metric's name. */
function parsePair(scan: Scanner): readonly [string, string] {
  const bare = scan.take(LABEL);
  const name = bare ?? quoted(scan, 'a label name or "}"');
  scan.take(SPACES);
  if (bare === undefined && !scan.accept('=')) return [METRIC_NAME, name];
  if (bare !== undefined && !scan.accept('=')) scan.expected('"=" after the label name');
  scan.take(SPACES);
  return [name, quoted(scan, 'a quoted label value')];
}

function quoted(scan: Scanner, what: string): string {
  const start = scan.at;
  const token = scan.take(QUOTED) ?? scan.expected(what);
  return placed(scan.line, start, () => stringValue(token));
}

/** The labels in the notation that `parseLabels` reads. */
export function printLabels(labels: Labels): string {
  let name = '';
  const inside: string[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    const label = labels[i]!;
    const value = labels[i + 1]!;
    if (label !== METRIC_NAME)
      inside.push(`${BARE_LABEL.test(label) ? label : quoteString(label)}=${quoteString(value)}`);
    else if (BARE_METRIC.test(value)) name = value;
    else inside.unshift(quoteString(value));
  }
  return name !== '' && inside.length === 0 ? name : `${name}{${inside.join(', ')}}`;
}

const BARE_LABEL = /^[A-Za-z_]\w*$/;
const BARE_METRIC = /^[A-Za-z_:][\w:]*$/;
