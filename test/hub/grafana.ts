/*
 * What Grafana's Prometheus data source makes of an answer, by the rules that its reader follows: fields are taken in the order in
 * which they are written; `data` is read before anybody knows whether the answer is an error, and one that cannot be read is
 * the error that people see; unknown fields are passed over.
 */

/** What people see of an answer. */
export interface GrafanaAnswer {
  readonly error: string | undefined;
  /** One for each series, and one for what has none. */
  readonly frames: readonly GrafanaFrame[];
  /** On every frame; a panel's header shows the last of each severity. */
  readonly notices: readonly { readonly severity: 'warning' | 'info'; readonly text: string }[];
}

interface GrafanaFrame {
  readonly labels: Readonly<Record<string, string>>;
  readonly times: readonly number[];
  readonly values: readonly number[];
  readonly kind: string;
}

/** Reads the text of an answer to a query, a range query or a query for exemplars. */
export function readAsGrafana(text: string): GrafanaAnswer {
  const root = objectIn(JSON.parse(text), 'the answer');
  let frames: readonly GrafanaFrame[] = [];
  const read = { status: '', errorType: '', error: '' };
  const lists = { warnings: [] as string[], infos: [] as string[] };
  for (const [field, value] of Object.entries(root)) {
    if (field === 'status' || field === 'errorType' || field === 'error') read[field] = stringIn(value);
    if (field === 'warnings' || field === 'infos')
      lists[field] = arrayIn(value).filter((one) => typeof one === 'string');
    if (field !== 'data') continue;
    try {
      frames = framesIn(value);
    } catch (error) {
      return { error: (error as Error).message, frames: [], notices: [] };
    }
  }
  if (read.status === 'error') return { error: `${read.errorType}: ${read.error}`, frames: [], notices: [] };
  const notices = [
    ...lists.warnings.map((one) => ({ severity: 'warning', text: one }) as const),
    ...lists.infos.map((one) => ({ severity: 'info', text: one }) as const),
  ];
  return { error: undefined, frames, notices };
}

function framesIn(data: unknown): readonly GrafanaFrame[] {
  if (Array.isArray(data)) return data.map((one) => exemplarFrame(objectIn(one, 'an exemplar')));
  let resultType: string | undefined;
  let kept: unknown;
  let frames: readonly GrafanaFrame[] = [];
  for (const [field, value] of Object.entries(objectIn(data, 'expected object type'))) {
    if (field === 'resultType') {
      resultType = stringIn(value);
      if (kept !== undefined) frames = resultFrames(resultType, kept);
    }
    if (field === 'result') {
      if (resultType === undefined) kept = value;
      else frames = resultFrames(resultType, value);
    }
  }
  if (resultType === undefined) throw new Error('no resultType found');
  return frames;
}

function resultFrames(resultType: string, result: unknown): readonly GrafanaFrame[] {
  switch (resultType) {
    case 'matrix':
    case 'vector':
      return arrayIn(result).map((one) => seriesFrame(objectIn(one, 'a series'), resultType));
    case 'scalar': {
      const { time, value } = pointIn(result);
      return [{ labels: {}, times: [time], values: [value], kind: 'scalar' }];
    }
    case 'string': {
      const [time, text] = arrayIn(result);
      stringIn(text);
      return [{ labels: {}, times: [numberIn(time)], values: [], kind: 'string' }];
    }
    default:
      throw new Error(`unknown result type: ${resultType}`);
  }
}

function seriesFrame(series: Record<string, unknown>, kind: string): GrafanaFrame {
  const points: { time: number; value: number }[] = [];
  let labels: Record<string, string> = {};
  for (const [field, value] of Object.entries(series)) {
    if (field === 'metric') labels = labelsIn(value);
    if (field === 'value') points.push(pointIn(value));
    if (field === 'values') points.push(...arrayIn(value).map(pointIn));
    if (field === 'histogram') histogramIn(value);
    if (field === 'histograms') arrayIn(value).forEach(histogramIn);
  }
  return { labels, times: points.map(({ time }) => time), values: points.map(({ value }) => value), kind };
}

function exemplarFrame(series: Record<string, unknown>): GrafanaFrame {
  const times: number[] = [];
  const values: number[] = [];
  for (const one of arrayIn(series['exemplars'])) {
    const exemplar = objectIn(one, 'an exemplar');
    labelsIn(exemplar['labels']);
    times.push(numberIn(exemplar['timestamp']));
    values.push(floatIn(exemplar['value']));
    for (const field of Object.keys(exemplar)) {
      if (!['labels', 'value', 'timestamp'].includes(field)) throw new Error(`unable to parse key: ${field}`);
    }
  }
  return { labels: labelsIn(series['seriesLabels']), times, values, kind: 'exemplar' };
}

/** `[time, {count, sum, buckets: [[boundary rule, lower, upper, count]]}]`. */
function histogramIn(value: unknown): void {
  const [time, body] = arrayIn(value);
  numberIn(time);
  const { count, sum, buckets = [] } = objectIn(body, 'a histogram');
  floatIn(count);
  floatIn(sum);
  for (const bucket of arrayIn(buckets)) {
    const [rule, ...numbers] = arrayIn(bucket);
    numberIn(rule);
    if (numbers.length !== 3) throw new Error('a bucket of another form');
    numbers.forEach(floatIn);
  }
}

function pointIn(value: unknown): { time: number; value: number } {
  const [time, text, ...more] = arrayIn(value);
  if (more.length > 0) throw new Error('a point of another form');
  return { time: numberIn(time), value: floatIn(text) };
}

function labelsIn(value: unknown): Record<string, string> {
  const labels = objectIn(value, 'labels');
  for (const one of Object.values(labels)) stringIn(one);
  return labels as Record<string, string>;
}

/** Numbers that are not JSON's are words in the values, which are texts. */
function floatIn(value: unknown): number {
  const text = stringIn(value);
  const words: Record<string, number> = { NaN, '+Inf': Infinity, '-Inf': -Infinity };
  const number = words[text] ?? Number(text);
  if (text === '' || (Number.isNaN(number) && text !== 'NaN')) throw new Error(`no number: ${text}`);
  return number;
}

function numberIn(value: unknown): number {
  if (typeof value !== 'number') throw new Error('expected a number');
  return value;
}

function stringIn(value: unknown): string {
  if (typeof value !== 'string') throw new Error('expected a string');
  return value;
}

function arrayIn(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error('expected an array');
  return value;
}

function objectIn(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(what);
  return value as Record<string, unknown>;
}
