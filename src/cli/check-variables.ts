import { printDuration } from '../promql/duration.ts';

/** A dashboard's variable, as far as a query shows its value. */
export interface DashboardVariable {
  readonly name: string;
  readonly values: readonly string[];
  readonly isMany: boolean;
}

/** A query without variables, and the way back. */
export interface Substituted {
  readonly text: string;
  restore(text: string): string;
}

export interface SubstituteOptions {
  readonly variables: ReadonlyMap<string, DashboardVariable>;
  /** The label whose matchers decide which domains are asked, and a value that it has. */
  readonly domainLabel: string;
  readonly domain: string | undefined;
}

/**
 * Puts values for the variables of a dashboard (`$name`, `${name}`, `${name:format}`, `[[name]]`), so that the query parses and
 * asks the same of a policy. A value inside quotes or a duration is one that the rewritten query can be told to have had a
 * variable for; label and metric names are the dashboard's current ones.
 */
export function substituteVariables(query: string, options: SubstituteOptions): Substituted {
  const stood = new Map<string, string>();
  const textOf = (written: string, name: string, format: string, before: string): string => {
    const place = placeIn(before);
    if (place === 'string') {
      const matched = matchedLabel(before);
      if (matched?.label === options.domainLabel) return matched.isRegex ? '.*' : (options.domain ?? '');
      if (matched?.label === '__name__' || before.endsWith('{"')) return formatted(name, format, options) ?? '.*';
      const value = `var${stood.size}_${name.replace(/\W/g, '')}`;
      stood.set(value, written);
      return value;
    }
    if (place === 'duration') {
      const value = printDuration(DURATION_MS + stood.size * 1000);
      stood.set(value, written);
      return value;
    }
    return BUILT_IN_NUMBERS.get(name) ?? formatted(name, format, options) ?? valueFor(before);
  };
  let text = '';
  let at = 0;
  for (const match of query.matchAll(VARIABLE)) {
    const { plain, braced, bracketed, format = '' } = match.groups!;
    text += query.slice(at, match.index);
    text += textOf(match[0], (plain ?? braced ?? bracketed)!, format, text);
    at = match.index + match[0].length;
  }
  return {
    text: text + query.slice(at),
    restore: (made) => [...stood].reduce((all, [value, written]) => all.replaceAll(value, written), made),
  };
}

const VARIABLE =
  /\$(?<plain>\w+)|\$\{(?<braced>[\w.]+)(?:[:](?<format>[^{}]*))?\}|\[\[(?<bracketed>[\w.]+)(?::\w+)?\]\]/g;

/** The first of the durations that stand for variables: each another, and none that people write. */
const DURATION_MS = 307_000;

/** Of Grafana's own variables those that are numbers. */
const BUILT_IN_NUMBERS: ReadonlyMap<string, string> = new Map([
  ['__interval_ms', '60000'],
  ['__range_s', '3600'],
  ['__range_ms', '3600000'],
  ['__rate_interval_ms', '60000'],
  ['__from', '1700000000000'],
  ['__to', '1700003600000'],
  // Those that are durations, where they are calculated with.
  ['__interval', '60s'],
  ['__rate_interval', '60s'],
  ['__range', '3600s'],
]);

/** What a variable stands in, going by the text before it. */
function placeIn(before: string): 'string' | 'duration' | 'code' {
  let quote = '';
  let depth = 0;
  for (let i = 0; i < before.length; i++) {
    const char = before[i]!;
    if (quote !== '') {
      if (char === '\\' && quote !== '`') i++;
      else if (char === quote) quote = '';
    } else if (char === '"' || char === "'" || char === '`') quote = char;
    else if (char === '[') depth++;
    else if (char === ']') depth--;
    else if (char === '#') i = endOfLine(before, i);
  }
  if (quote !== '') return 'string';
  return depth > 0 || /\boffset\s+-?$/.test(before) ? 'duration' : 'code';
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

/** The label of the matcher whose value begins or goes on here. */
function matchedLabel(before: string): { label: string; isRegex: boolean } | undefined {
  const match = /(?<label>[\w.]+|"[^"]*")\s*(?<op>=~|!~|!=|=)\s*["'`][^"'`]*$/.exec(before);
  if (match === null) return undefined;
  const { label, op } = match.groups!;
  return { label: label!.replaceAll('"', ''), isRegex: op!.endsWith('~') };
}

function formatted(name: string, format: string, { variables }: SubstituteOptions): string | undefined {
  const variable = variables.get(name);
  if (variable === undefined || variable.values.length === 0) return undefined;
  const { values, isMany } = variable;
  if (format.startsWith('csv') || format === 'raw' || format === 'text') return values.join(',');
  if (format.startsWith('pipe')) return values.join('|');
  if (format === 'doublequote') return values.map((value) => JSON.stringify(value)).join(',');
  if (values.length === 1) return values[0];
  return isMany ? `(${values.join('|')})` : values[0];
}

/** A value that fits where nothing is known of the variable. */
function valueFor(before: string): string {
  if (/\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*$/.test(before)) return 'job';
  if (/[\w:]$/.test(before)) return 'value';
  if (
    /\b(?:topk|bottomk|limitk|quantile|histogram_quantile|clamp_max|clamp_min)\s*(?:by\s*\([^)]*\)\s*)?\(\s*$/.test(
      before,
    )
  )
    return '1';
  return /(?:^|[-+*/%^<>=(,])\s*$/.test(before) && /[-+*/%^<>=]\s*$/.test(before) ? '1' : 'value';
}
