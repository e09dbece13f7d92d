/**
 * Names as the OpenTelemetry to Prometheus rules make them, in the strategy UnderscoreEscapingWithSuffixes
 * (https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/), with the choices that Prometheus
 * 3's own OTLP receiver makes by default.
 */

/** What decides on a metric name's suffixes; `other` has none of its own. */
export type NameKind = 'counter' | 'gauge' | 'other';

/**
 * The metric name for an OTLP metric, or undefined when nothing of the name is left. Anything but ASCII letters, digits
 * and `:` separates words; the unit's words and `total` or `ratio` follow, each only once.
 */
export function metricName(name: string, unit: string, kind: NameKind): string | undefined {
  let words = name.split(/[^a-zA-Z0-9:]+/).filter((word) => word !== '');
  words.push(...unitWords(unit, words));
  if (kind === 'counter') words = moveToEnd(words, 'total');
  // Counters of things often carry the unit "1" by mistake, so only a gauge is taken for a ratio.
  if (kind === 'gauge' && unit === '1') words = moveToEnd(words, 'ratio');
  const joined = words.join('_');
  if (/^_*$/.test(joined)) return undefined;
  return startsWithDigit(joined) ? `_${joined}` : joined;
}

/** A unit in words, as metadata has it: `bytes_per_second` for `By/s`; empty where it has none. */
export function unitName(unit: string): string {
  const { main, per } = unitParts(unit);
  const name = main !== '' && per !== '' ? `${main}_${per}` : main + per;
  return dropLastUnderscore(name.startsWith('_') ? name.slice(1) : name);
}

/**
 * The label name for an attribute key, or undefined when only underscores are left. Runs of underscores stay, a leading
 * digit gets `key_`, a single leading underscore `key`.
 */
export function labelName(key: string): string | undefined {
  const cached = labelNames.get(key);
  if (cached !== undefined) return cached;
  const name = sanitizeLabelName(key);
  if (name !== undefined && key.length <= CACHED_KEY_CHARS) {
    if (labelNames.size >= CACHED_KEYS) labelNames.clear();
    labelNames.set(key, name);
  }
  return name;
}

/** Senders use few distinct keys; one that makes up new ones only empties the cache. */
const CACHED_KEYS = 4096;
const CACHED_KEY_CHARS = 128;
const labelNames = new Map<string, string>();

function sanitizeLabelName(key: string): string | undefined {
  let name = key.replace(/[^a-zA-Z0-9]/gu, '_');
  if (startsWithDigit(name)) name = `key_${name}`;
  else if (name.startsWith('_') && !name.startsWith('__')) name = `key${name}`;
  return /^_*$/.test(name) ? undefined : name;
}

/** Words for the units that UCUM abbreviates (https://ucum.org/ucum) and Prometheus spells out. */
const UNITS: ReadonlyMap<string, string> = new Map([
  ['d', 'days'],
  ['h', 'hours'],
  ['min', 'minutes'],
  ['s', 'seconds'],
  ['ms', 'milliseconds'],
  ['us', 'microseconds'],
  ['ns', 'nanoseconds'],
  ['By', 'bytes'],
  ['KiBy', 'kibibytes'],
  ['MiBy', 'mebibytes'],
  ['GiBy', 'gibibytes'],
  ['TiBy', 'tibibytes'],
  ['KBy', 'kilobytes'],
  ['MBy', 'megabytes'],
  ['GBy', 'gigabytes'],
  ['TBy', 'terabytes'],
  ['m', 'meters'],
  ['V', 'volts'],
  ['A', 'amperes'],
  ['J', 'joules'],
  ['W', 'watts'],
  ['g', 'grams'],
  ['Cel', 'celsius'],
  ['Hz', 'hertz'],
  ['1', ''],
  ['%', 'percent'],
]);

/** Words for what stands below the line: `By/s` is bytes per second. Here `m` is the minute. */
const PER_UNITS: ReadonlyMap<string, string> = new Map([
  ['s', 'second'],
  ['m', 'minute'],
  ['h', 'hour'],
  ['d', 'day'],
  ['w', 'week'],
  ['mo', 'month'],
  ['y', 'year'],
]);

/** The words that a unit adds to a name that already has `words`. */
function unitWords(unit: string, words: readonly string[]): string[] {
  const parts = unitParts(unit);
  let { main } = parts;
  let per = dropLastUnderscore(parts.per);
  if (words.includes(main)) main = '';
  if (per === 'per' || words.includes(per)) per = '';
  if (per !== '') main = dropLastUnderscore(main);
  return [main, per].filter((word) => word !== '');
}

/** What stands above the line of a unit, and below it with `per_` before it. */
function unitParts(unit: string): { main: string; per: string } {
  const slash = unit.indexOf('/');
  const above = trimSpace(slash < 0 ? unit : unit.slice(0, slash));
  const below = slash < 0 ? '' : trimSpace(unit.slice(slash + 1));
  const main = isAnnotated(above) ? '' : cleanUnit(UNITS.get(above) ?? above);
  const belowWord = isAnnotated(below) ? '' : (PER_UNITS.get(below) ?? below);
  return { main, per: belowWord === '' ? '' : cleanUnit(`per_${belowWord}`) };
}

/** Curly braces hold a remark, such as `{request}`, and no unit. */
function isAnnotated(unit: string): boolean {
  return unit.includes('{') || unit.includes('}');
}

function cleanUnit(unit: string): string {
  return unit
    .replace(/[^a-zA-Z0-9:]/gu, '_')
    .replace(/_+/g, '_')
    .replace(/^_/, '');
}

function dropLastUnderscore(word: string): string {
  return word.endsWith('_') ? word.slice(0, -1) : word;
}

function moveToEnd(words: readonly string[], word: string): string[] {
  return [...words.filter((other) => other !== word), word];
}

function startsWithDigit(name: string): boolean {
  return /^[0-9]/.test(name);
}

/** Trims Unicode's white space in linear time; `String.trim` has a slightly different set. */
function trimSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text[start])) start++;
  while (end > start && isSpace(text[end - 1])) end--;
  return text.slice(start, end);
}

function isSpace(char: string | undefined): boolean {
  return char !== undefined && /\p{White_Space}/u.test(char);
}
