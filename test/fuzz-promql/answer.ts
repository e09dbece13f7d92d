/** A query's answer in one shape, from the oracle or from an agent. */
export type Answer = Failure | Data;

export interface Failure {
  readonly kind: 'error';
  readonly status: number;
  readonly errorType: string;
  readonly message: string;
  /** Why a federation refused it, in a word; undefined for other errors. */
  readonly refusal?: string;
  /** Of a federation, where a domain's error leaves it as no more than its kind. */
  readonly hasOwnWords?: true;
}

export interface Data {
  readonly kind: 'data';
  readonly resultType: string;
  /** In the order of the answer. */
  readonly rows: readonly AnswerRow[];
  /** Of a string alone. */
  readonly text?: string;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  /** Of a federation whose policies keep in what notes have to tell of single series. */
  readonly lacksDetails?: true;
}

export interface AnswerRow {
  /** Equal for equal label sets. */
  readonly key: string;
  readonly labels: ReadonlyMap<string, string>;
  /** By time in ms. */
  readonly points: ReadonlyMap<number, Point>;
}

export type Point = number | HistogramPoint;

/** A histogram as the API shows it: each bucket with its kind of boundaries, lower and upper bound, and count. */
export interface HistogramPoint {
  readonly count: number;
  readonly sum: number;
  readonly buckets: readonly (readonly [boundaries: number, lower: number, upper: number, count: number])[];
}

/** An answer that gives one series two samples at one time. */
export class TwoSamples extends Error {}

/** Reads the body of `/api/v1/query` or `/api/v1/query_range`. Throws when it is not what Prometheus would send. */
export function readAnswer(status: number, body: string): Answer {
  const json = JSON.parse(body) as {
    status: string;
    errorType?: string;
    error?: string;
    data?: { resultType: string; result: unknown };
    warnings?: string[];
    infos?: string[];
  };
  if (json.status === 'error') {
    return { kind: 'error', status, errorType: String(json.errorType), message: String(json.error) };
  }
  const { data } = json;
  if (status !== 200 || json.status !== 'success' || data === undefined)
    throw new Error(`status ${status}: ${body.slice(0, 200)}`);
  const notes = { warnings: json.warnings ?? [], infos: json.infos ?? [] };
  const { resultType, result } = data;
  if (resultType === 'string')
    return { kind: 'data', resultType, rows: [], text: String((result as unknown[])[1]), ...notes };
  return { kind: 'data', resultType, rows: readRows(resultType, result), ...notes };
}

/** The key of a label set; names in `except` are left out. */
export function labelKey(labels: ReadonlyMap<string, string>, except?: string): string {
  const pairs = [...labels].filter(([name]) => name !== except).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${pairs.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(', ')}}`;
}

/** Numbers of more digits, as label values, may stand for the same number. */
const DIGITS = 12;

/** The answer with numbers that are values of these labels cut to twelve digits; unchanged where that joins two series. */
export function withShortNumbers(answer: Answer, names: ReadonlySet<string>): Answer {
  if (answer.kind === 'error') return answer;
  const rows = answer.rows.map((row) => {
    const labels = new Map([...row.labels].map(([name, value]) => [name, names.has(name) ? shortened(value) : value]));
    return { ...row, labels, key: labelKey(labels) };
  });
  return new Set(rows.map(({ key }) => key)).size === rows.length ? { ...answer, rows } : answer;
}

function shortened(value: string): string {
  const number = Number(value);
  return value === '' || !Number.isFinite(number) ? value : number.toPrecision(DIGITS);
}

interface JsonRow {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: JsonSample;
  readonly histogram?: JsonSample;
  readonly values?: readonly JsonSample[];
  readonly histograms?: readonly JsonSample[];
}

/** A time in seconds and what is there. */
export type JsonSample = readonly [number, string | JsonHistogram];

interface JsonHistogram {
  readonly count: string;
  readonly sum: string;
  readonly buckets?: readonly (readonly [number, string, string, string])[];
}

function readRows(type: string, result: unknown): AnswerRow[] {
  if (type === 'scalar') return [{ key: '{}', labels: new Map(), points: new Map([readSample(result as JsonSample)]) }];
  if (type !== 'vector' && type !== 'matrix') throw new Error(`unexpected result type ${JSON.stringify(type)}`);
  const seen = new Set<string>();
  return (result as readonly JsonRow[]).map(({ metric, value, histogram, values = [], histograms = [] }) => {
    const labels = new Map(Object.entries(metric));
    const key = labelKey(labels);
    if (seen.has(key)) throw new Error(`the answer holds ${key} twice`);
    seen.add(key);
    const samples = [value, histogram, ...values, ...histograms].filter((sample) => sample !== undefined);
    const points = new Map<number, Point>();
    for (const sample of samples) {
      const [timeMs, point] = readSample(sample);
      if (points.has(timeMs)) throw new TwoSamples(`the answer holds two samples of ${key} at ${timeMs}`);
      points.set(timeMs, point);
    }
    return { key, labels, points };
  });
}

/** Throws when it is no sample as Prometheus would send it. */
export function readSample([seconds, value]: JsonSample): [number, Point] {
  const timeMs = Math.round(seconds * 1000);
  if (typeof value === 'string') return [timeMs, readNumber(value)];
  const buckets = (value.buckets ?? []).map(
    ([boundaries, lower, upper, count]) =>
      [boundaries, readNumber(lower), readNumber(upper), readNumber(count)] as const,
  );
  return [timeMs, { count: readNumber(value.count), sum: readNumber(value.sum), buckets }];
}

function readNumber(text: string): number {
  if (text === '+Inf') return Infinity;
  if (text === '-Inf') return -Infinity;
  if (text === 'NaN') return NaN;
  const value = Number(text);
  if (text === '' || Number.isNaN(value)) throw new Error(`not a sample value: ${JSON.stringify(text)}`);
  return value;
}
