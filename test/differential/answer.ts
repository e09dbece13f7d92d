import { readSample, type JsonSample, type Point } from '../fuzz-promql/answer.ts';

/** A query's answer, from the federation or from the oracle, in one shape. */
export type Answer =
  | { readonly kind: 'error'; readonly status: number; readonly errorType: string; readonly message: string }
  | {
      readonly kind: 'data';
      readonly resultType: string;
      /** By `labelKey` of the whole label set. */
      readonly series: ReadonlyMap<string, AnswerSeries>;
      readonly coverage?: Coverage;
    };

export interface AnswerSeries {
  readonly labels: ReadonlyMap<string, string>;
  /** By time in milliseconds. */
  readonly points: ReadonlyMap<number, Point>;
}

/** What the hub says about completeness (`data.coverage`); an answer of the oracle has none. */
export interface Coverage {
  readonly complete: boolean;
  readonly domains: readonly { readonly domain: string; readonly status: string; readonly reason?: string }[];
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Reads the body of `/api/v1/query` or `/api/v1/query_range`. Throws when it is not what Prometheus would send. */
export function readAnswer(status: number, body: string): Answer {
  const json = fields(JSON.parse(body) as Json, 'body');
  if (json['status'] === 'error') {
    return { kind: 'error', status, errorType: text(json['errorType']), message: text(json['error']) };
  }
  if (status !== 200 || json['status'] !== 'success') {
    throw new Error(`status ${status} with a body of status ${JSON.stringify(json['status'])}`);
  }
  const data = fields(json['data'], 'data');
  const resultType = text(data['resultType']);
  const series = readResult(resultType, data['result']);
  return data['coverage'] === undefined
    ? { kind: 'data', resultType, series }
    : { kind: 'data', resultType, series, coverage: readCoverage(fields(data['coverage'], 'data.coverage')) };
}

/** The key of a label set: equal for equal sets, whatever the order. Names in `except` are left out. */
export function labelKey(labels: ReadonlyMap<string, string>, except?: string): string {
  const pairs = [...labels].filter(([name]) => name !== except).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${pairs.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(', ')}}`;
}

function readResult(type: string, result: Json | undefined): Map<string, AnswerSeries> {
  const series = new Map<string, AnswerSeries>();
  const add = (metric: Json | undefined, samples: readonly Json[]): void => {
    const labels = new Map(Object.entries(fields(metric, 'metric')).map(([name, value]) => [name, text(value)]));
    const key = labelKey(labels);
    if (series.has(key)) throw new Error(`the answer holds ${key} twice`);
    const points = new Map(samples.map((sample) => readSample(sample as unknown as JsonSample)));
    if (points.size < samples.length) throw new Error(`the answer holds two samples of ${key} at one time`);
    series.set(key, { labels, points });
  };
  switch (type) {
    case 'vector':
      for (const row of list(result)) {
        const { metric, value, histogram } = fields(row, 'result');
        add(metric, [value ?? histogram ?? null]);
      }
      return series;
    case 'matrix':
      for (const row of list(result)) {
        const { metric, values, histograms } = fields(row, 'result');
        add(metric, [...list(values ?? []), ...list(histograms ?? [])]);
      }
      return series;
    case 'scalar':
      add({}, [result ?? null]);
      return series;
    default:
      throw new Error(`unexpected result type ${JSON.stringify(type)}`);
  }
}

function readCoverage(coverage: Readonly<Record<string, Json>>): Coverage {
  const domains = list(coverage['domains']).map((entry) => {
    const { domain, status, reason } = fields(entry, 'data.coverage.domains');
    const known = { domain: text(domain), status: text(status) };
    return typeof reason === 'string' ? { ...known, reason } : known;
  });
  return { complete: coverage['complete'] === true, domains };
}

function fields(json: Json | undefined, where: string): Readonly<Record<string, Json>> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new Error(`${where} is not an object: ${JSON.stringify(json)?.slice(0, 200)}`);
  }
  return json as Readonly<Record<string, Json>>;
}

function list(json: Json | undefined): readonly Json[] {
  if (!Array.isArray(json)) throw new Error(`not a list: ${JSON.stringify(json)?.slice(0, 200)}`);
  return json as readonly Json[];
}

function text(json: Json | undefined): string {
  if (typeof json !== 'string') throw new Error(`not a string: ${JSON.stringify(json)?.slice(0, 200)}`);
  return json;
}
