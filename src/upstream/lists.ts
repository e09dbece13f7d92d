import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { parseFloatStrict } from '../base/numbers.ts';
import type { FamiliesQuestion, Listed, ListQuestion } from '../border/list-data.ts';
import type { Metadata, MetricType, SeriesExemplar, SeriesExemplars } from '../model/batch.ts';
import { compareLabels, labelsKey, type Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { Policy } from '../policy/document.ts';
import { exemplarsOf, familyTest, wholeSeriesTest } from '../policy/whole-series.ts';
import { printInBraces } from '../promql/print.ts';
import { callApi } from './api.ts';
import { garbled, tooMuch, type ServerClient, type Until } from './client.ts';
import { labelsIn, recordOf } from './matrix.ts';
import { listSeries, matchParams } from './series.ts';
import { coarseSelector, inView, type View } from './view.ts';

/** The server's series, as the federation sees them, that may leave as they are. */
export async function listWholeSeries(
  client: ServerClient,
  { selectors, fromMs, toMs, limit }: ListQuestion & { readonly limit: number },
  policy: Policy,
  view: View,
  until: Until,
): Promise<Listed<Labels>> {
  const coarse = selectors.map((matchers) => coarseSelector(matchers, view));
  const mayLeave = wholeSeriesTest(policy);
  const found = new Map<string, Labels>();
  for (const labels of await listSeries(client, coarse, { fromMs, toMs }, until)) {
    const seen = inAny(labels, selectors, view);
    if (seen !== undefined && mayLeave(seen)) found.set(labelsKey(seen), seen);
  }
  const all = [...found.values()].sort(compareLabels);
  return { found: all.slice(0, limit), isCut: all.length > limit };
}

/** What the server knows of metric families, of those that are not sealed. */
export async function listFamilies(
  client: ServerClient,
  { metric, limit }: FamiliesQuestion,
  policy: Policy,
  until: Until,
): Promise<Listed<Metadata>> {
  const params = new URLSearchParams(metric === '' ? {} : { metric });
  const { data } = await callApi(client, '/api/v1/metadata', params, { ...until, isGet: true });
  const mayLeave = familyTest(policy);
  const all: Metadata[] = [];
  for (const [name, entries] of Object.entries(recordOf(data))) {
    if (!Array.isArray(entries)) throw garbled('its metadata');
    if (name === '' || (metric !== '' && name !== metric)) continue;
    for (const entry of entries as unknown[]) {
      const family = familyOf(name, recordOf(entry));
      if (mayLeave(family)) all.push(family);
    }
  }
  all.sort((a, b) => compareTexts(a.metric, b.metric));
  return { found: all.slice(0, limit), isCut: all.length > limit };
}

/** The server's exemplars that may leave, of series that may. */
export async function listServerExemplars(
  client: ServerClient,
  { selectors, fromMs, toMs }: ListQuestion,
  policy: Policy,
  view: View,
  until: Until,
): Promise<Listed<SeriesExemplars>> {
  const params = matchParams([], { fromMs, toMs });
  params.set(
    'query',
    selectors.map((matchers) => printInBraces({ matchers: coarseSelector(matchers, view) })).join(' or '),
  );
  const { data } = await callApi(client, '/api/v1/query_exemplars', params, until);
  // Servers that keep none say so in several ways.
  if (data === null || data === undefined) return { found: [], isCut: false };
  if (!Array.isArray(data)) throw garbled('its exemplars');
  const mayLeave = exemplarsOf(policy);
  const found: SeriesExemplars[] = [];
  let count = 0;
  for (const one of data as unknown[]) {
    const { seriesLabels, exemplars } = recordOf(one);
    if (!Array.isArray(exemplars)) throw garbled('its exemplars');
    count += exemplars.length;
    if (count > LIMITS.exemplars) throw tooMuch(LIMITS.exemplars, 'exemplars', 'exemplars');
    const labels = inAny(labelsIn(seriesLabels), selectors, view);
    if (labels === undefined) continue;
    const kept = mayLeave({ labels, exemplars: exemplars.map(exemplarOf) });
    if (kept !== undefined) found.push(kept);
  }
  return { found: found.sort((a, b) => compareLabels(a.labels, b.labels)), isCut: false };
}

/** The label set in the view, where some selector finds it there. */
function inAny(labels: Labels, selectors: readonly (readonly Matcher[])[], view: View): Labels | undefined {
  for (const matchers of selectors) {
    const seen = inView(labels, matchers, view);
    if (seen !== undefined) return seen;
  }
  return undefined;
}

function familyOf(metric: string, { type, unit = '', help = '' }: Record<string, unknown>): Metadata {
  if (typeof type !== 'string' || typeof unit !== 'string' || typeof help !== 'string') throw garbled('its metadata');
  // Some servers have other words, or none, for what is not known.
  const known = TYPES.find((word) => word === type) ?? 'unknown';
  return { metric, type: known, unit: unit.slice(0, LIMITS.labelBytes), help: help.slice(0, LIMITS.helpBytes) };
}

function exemplarOf(raw: unknown): SeriesExemplar {
  const { labels, value, timestamp } = recordOf(raw);
  const number = typeof value === 'string' ? parseFloatStrict(value) : undefined;
  if (number === undefined || typeof timestamp !== 'number') throw garbled('an exemplar');
  return { timeMs: Math.round(timestamp * 1000), value: number, labels: labelsIn(labels) };
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

const TYPES: readonly MetricType[] = ['counter', 'gauge', 'histogram', 'gaugehistogram', 'summary', 'info', 'stateset'];

/** What a server that has no such path answers is not an error of the question. */
export async function unlessUnsupported<T>(list: Promise<T>): Promise<T> {
  try {
    return await list;
  } catch (error) {
    if (error instanceof ComityError && 'httpStatus' in error && error.httpStatus === 404) {
      throw new ComityError('unsupported', 'unsupported: the server of this domain has no such list', { cause: error });
    }
    throw error;
  }
}
