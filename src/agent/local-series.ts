import type { FastifyInstance, FastifyRequest } from 'fastify';
import { sendData } from '../api/envelope.ts';
import { unescapeLabelName } from '../api/label-name.ts';
import { boundParam, integerParam, invalid, requestParams, requiredParam } from '../api/params.ts';
import { getAndPost, parseParam, TRUNCATED } from '../api/query.ts';
import { matchParams, selectorsIn } from '../api/selectors.ts';
import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Metadata, SeriesExemplars } from '../model/batch.ts';
import { compareLabels, labelsKey, labelValue, type Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { Source } from '../model/source.ts';
import { exemplarsJson, labelSetsJson } from '../wire/prometheus-json.ts';

/** What the local API reads from: samples, and what is known beside them. */
export interface LocalSource extends Source {
  metadata(): Iterable<Metadata>;
  /** The exemplars in [fromMs, toMs] of the series that satisfy all matchers, oldest first. */
  exemplars(matchers: readonly Matcher[], fromMs: number, toMs: number): Iterable<SeriesExemplars>;
}

/** Label sets in one answer: each is some hundred bytes of text. */
const LABEL_SETS = LIMITS.rowsPerAnswer;

/** The clock is looked at once in so many series. */
const SERIES_PER_LOOK = 1024;

/** The part of Prometheus's HTTP API that tells what series there are. */
export function localSeriesApi(app: FastifyInstance, source: LocalSource, timeoutMs: number): void {
  getAndPost(app, '/api/v1/labels', (request, reply) => {
    const names = new Set<string>();
    const { limit, list } = readSelection(request, LIMITS.labelValues);
    for (const labels of selected(source, list, timeoutMs)) {
      for (let i = 0; i < labels.length; i += 2) names.add(labels[i]!);
    }
    return sendStrings(reply, names, limit);
  });
  getAndPost(app, '/api/v1/label/:name/values', (request, reply) => {
    const name = unescapeLabelName((request.params as { name: string }).name);
    const values = new Set<string>();
    const { limit, list } = readSelection(request, LIMITS.labelValues);
    for (const labels of selected(source, list, timeoutMs)) {
      const value = labelValue(labels, name);
      if (value !== '') values.add(value);
    }
    return sendStrings(reply, values, limit);
  });
  getAndPost(app, '/api/v1/series', (request, reply) => {
    const { limit, list } = readSelection(request, LABEL_SETS);
    if (list.selectors.length === 0) throw new ComityError('bad_data', 'no match[] parameter provided');
    const sets = new Map<string, Labels>();
    for (const labels of selected(source, list, timeoutMs)) {
      // One more than wanted shows that there are more.
      if (sets.size > limit) break;
      sets.set(labelsKey(labels), labels);
    }
    const sorted = [...sets.values()].sort(compareLabels);
    return sendData(reply, labelSetsJson(sorted.slice(0, limit)), sorted.length > limit ? [TRUNCATED] : []);
  });
  app.get('/api/v1/metadata', (request, reply) => sendData(reply, metadataJson(source, requestParams(request))));
  getAndPost(app, '/api/v1/query_exemplars', (request, reply) =>
    sendData(reply, exemplarsJson(exemplarsOf(source, requestParams(request)))),
  );
}

/** Series that are asked for; no selector means all. */
interface Selection {
  readonly selectors: readonly (readonly Matcher[])[];
  readonly fromMs: number;
  readonly toMs: number;
}

/** `most`: the limit where the caller sets none or a higher one. */
function readSelection(request: FastifyRequest, most: number): { limit: number; list: Selection } {
  const params = requestParams(request);
  const limit = Math.min(integerParam(params, 'limit') || most, most);
  const fromMs = boundParam(params, 'start', -Infinity);
  const toMs = boundParam(params, 'end', Infinity);
  return { limit, list: { selectors: matchParams(params), fromMs, toMs } };
}

/** A label set comes once for each selector that it satisfies. */
function* selected(source: Source, { selectors, fromMs, toMs }: Selection, timeoutMs: number): Iterable<Labels> {
  const deadlineMs = Date.now() + timeoutMs;
  let count = 0;
  for (const matchers of selectors.length === 0 ? [[]] : selectors) {
    for (const labels of source.series(matchers, fromMs, toMs)) {
      if (++count % SERIES_PER_LOOK === 0 && Date.now() > deadlineMs) {
        throw new ComityError('timeout', 'the request ran out of time. Narrow its selectors with more matchers');
      }
      yield labels;
    }
  }
}

function sendStrings(reply: Parameters<typeof sendData>[0], found: ReadonlySet<string>, limit: number) {
  const sorted = [...found].sort();
  return sendData(reply, JSON.stringify(sorted.slice(0, limit)), sorted.length > limit ? [TRUNCATED] : []);
}

/** `{"<family>":[{"type":…,"unit":…,"help":…}]}`. A family has one entry, so `limit_per_metric` changes nothing. */
function metadataJson(source: LocalSource, params: URLSearchParams): string {
  const limit = integerParam(params, 'limit') ?? Infinity;
  integerParam(params, 'limit_per_metric');
  const wanted = params.get('metric') ?? '';
  const families: [string, unknown][] = [];
  for (const { metric, type, unit, help } of source.metadata()) {
    if (families.length >= limit) break;
    if (wanted === '' || wanted === metric) families.push([metric, [{ type, unit, help }]]);
  }
  // Not by assignment: a family may be named __proto__.
  return JSON.stringify(Object.fromEntries(families));
}

function exemplarsOf(source: LocalSource, params: URLSearchParams): SeriesExemplars[] {
  const fromMs = exemplarTime(params, 'start', -Infinity);
  const toMs = exemplarTime(params, 'end', Infinity);
  if (toMs < fromMs) throw invalid('end', 'end timestamp must not be before start timestamp');
  const found = new Map<string, SeriesExemplars>();
  for (const matchers of selectorsIn(parseParam('query', requiredParam(params, 'query')))) {
    for (const series of source.exemplars(matchers, fromMs, toMs)) found.set(labelsKey(series.labels), series);
  }
  return [...found.values()].sort((a, b) => compareLabels(a.labels, b.labels));
}

/** Grafana asks for exemplars in milliseconds, which as seconds would be tens of thousands of years ahead. */
const MILLISECONDS_FROM = 1e11;

function exemplarTime(params: URLSearchParams, name: string, otherwise: number): number {
  const ms = boundParam(params, name, otherwise);
  return Number.isFinite(ms) && ms / 1000 >= MILLISECONDS_FROM ? ms / 1000 : ms;
}
