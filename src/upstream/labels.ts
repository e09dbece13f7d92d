import { ComityError } from '../base/errors.ts';
import { labelNames, labelsKey, labelValue, METRIC_NAME, type Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { LabelsQuery } from '../plan/frames/labels-codec.ts';
import type { Policy } from '../policy/document.ts';
import { listedTest, listsAll } from '../policy/listed-metrics.ts';
import { callApi } from './api.ts';
import { garbled, type ServerClient, type Until } from './client.ts';
import { LIMITS } from '../base/limits.ts';
import { hasSeries, listSeries, matchParams, type TimeRange } from './series.ts';
import { coarseSelector, inView, isMoved, ownLabelSelector, plainSelector, type View } from './view.ts';

const ALL_TIME: TimeRange = { fromMs: -Infinity, toMs: Infinity };

/** Label sets of the view, one for each combination of metric name and label names. Sealed metrics are in it. */
export async function listKinds(
  client: ServerClient,
  matchers: readonly Matcher[],
  view: View,
  until: Until,
): Promise<readonly Labels[]> {
  const kinds = new Map<string, Labels>();
  for (const labels of await listSeries(client, [coarseSelector(matchers, view)], ALL_TIME, until)) {
    const seen = inView(labels, matchers, view);
    if (seen === undefined) continue;
    const kind = labelsKey([labelValue(seen, METRIC_NAME), ...labelNames(seen)]);
    if (!kinds.has(kind)) kinds.set(kind, seen);
  }
  return [...kinds.values()];
}

/** Label names, or the values of a label, in the view, of metrics that are not sealed: the first `limit` in order. */
export async function listLabels(
  client: ServerClient,
  question: LabelsQuery,
  policy: Policy,
  view: View,
  until: Until,
): Promise<readonly string[]> {
  const { name, fromMs, toMs, limit } = question;
  const range = { fromMs, toMs };
  const selectors = question.selectors.length === 0 ? [[]] : question.selectors;
  const plain = selectors.map((matchers) => plainSelector(matchers, view));
  const asked = plain.filter(({ isElsewhere }) => !isElsewhere).map(({ matchers }) => matchers);
  const others = selectors.map((matchers) => ownLabelSelector(matchers, view));
  const hasMoved =
    (name !== view.domainLabel && isMoved(name, view)) || (await hasSeries(client, others, range, until));
  const found = new Set<string>();
  if (hasMoved) {
    // Some series have other labels here than there, so that each is looked at.
    const listed = await listSeries(
      client,
      selectors.map((matchers) => coarseSelector(matchers, view)),
      range,
      until,
    );
    const isListed = listedTest(name, policy);
    for (const labels of listed) {
      for (const matchers of selectors) {
        const seen = inView(labels, matchers, view);
        if (seen === undefined || !isListed(labelValue(seen, METRIC_NAME))) continue;
        if (name === '') for (const label of labelNames(seen)) found.add(label);
        else if (labelValue(seen, name) !== '') found.add(labelValue(seen, name));
      }
    }
  } else if (asked.length > 0) {
    const open = await openSelectors(client, asked, range, { label: name, policy }, until);
    const path = name === '' || name === view.domainLabel ? '/api/v1/labels' : valuesPath(name);
    const texts = open.length === 0 ? [] : await listTexts(client, path, open, range, until);
    if (name !== view.domainLabel) for (const text of texts) found.add(text);
    if (texts.length > 0 && name === '') found.add(view.domainLabel);
    if (texts.length > 0 && name === view.domainLabel) found.add(view.domain);
  }
  return [...found].sort().slice(0, limit);
}

/** The selectors with a matcher that no metric satisfies which may not be listed, whichever come to be stored meanwhile. */
async function openSelectors(
  client: ServerClient,
  selectors: readonly (readonly Matcher[])[],
  range: TimeRange,
  { label, policy }: { readonly label: string; readonly policy: Policy },
  until: Until,
): Promise<readonly (readonly Matcher[])[]> {
  if (listsAll(label, policy)) return selectors;
  const names = await listTexts(client, valuesPath(METRIC_NAME), selectors, range, until);
  const open = names.filter(listedTest(label, policy));
  if (open.length === 0) return [];
  const value = open.map((name) => name.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`)).join('|');
  if (value.length > LIMITS.upstreamNamesChars) {
    throw new ComityError(
      'limit',
      `the metrics that are not sealed have names of more than ${LIMITS.upstreamNamesChars} characters together ` +
        '(namesChars). Narrow the selectors',
    );
  }
  return selectors.map((matchers) => [...matchers, { name: METRIC_NAME, op: '=~', value }]);
}

async function listTexts(
  client: ServerClient,
  path: string,
  selectors: readonly (readonly Matcher[])[],
  range: TimeRange,
  until: Until,
): Promise<readonly string[]> {
  const params = matchParams(selectors, range);
  params.set('limit', String(LIMITS.upstreamSeries));
  const { data } = await callApi(client, path, params, { ...until, isGet: true });
  if (!Array.isArray(data) || !data.every((text) => typeof text === 'string')) throw garbled('its labels');
  return data;
}

/** Names outside ASCII's words are escaped as Prometheus's API takes them. */
function valuesPath(name: string): string {
  if (/^[A-Za-z_]\w*$/.test(name)) return `/api/v1/label/${name}/values`;
  const escaped = name.replaceAll('_', '__').replaceAll(/[^\w]/gu, (char) => `_${char.codePointAt(0)!.toString(16)}_`);
  return `/api/v1/label/U__${escaped}/values`;
}
