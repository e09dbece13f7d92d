import { labelsFrom, labelsKey } from '../../src/model/labels.ts';

/** Samples by series and time, as the texts of Prometheus's HTTP API. */
export type Shown = Map<string, string>;

/** One row of a query's answer: times in seconds. */
interface Row {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: ShownSample;
  readonly histogram?: ShownSample;
  readonly values?: readonly ShownSample[];
  readonly histograms?: readonly ShownSample[];
}

type ShownSample = readonly [timeS: number, value: unknown];

/** A series and a time as one text; a domain's label is left out. */
export function sampleKey(labels: Readonly<Record<string, string>>, timeMs: number): string {
  const own = Object.entries(labels).filter(([name]) => name !== DOMAIN_LABEL);
  return `${timeMs} ${labelsKey(labelsFrom(own))}`;
}

const DOMAIN_LABEL = 'domain';

/** The raw samples from `fromMs` until `toMs` and no more than an hour before that, without staleness markers. */
export async function rawSamples(url: string, fromMs: number, toMs: number, selector = ALL): Promise<Shown> {
  const rows = await query(url, `${selector}[1h]`, toMs);
  const shown: Shown = new Map();
  for (const { metric, values = [], histograms = [] } of rows) {
    for (const [timeS, value] of [...values, ...histograms]) {
      const timeMs = Math.round(timeS * 1000);
      if (timeMs >= fromMs) shown.set(sampleKey(metric, timeMs), textOf(value));
    }
  }
  return shown;
}

/** What an instant query shows at a time. */
export async function instantSamples(url: string, atMs: number, selector = ALL): Promise<Shown> {
  const shown: Shown = new Map();
  for (const { metric, value, histogram } of await query(url, selector, atMs)) {
    shown.set(sampleKey(metric, atMs), textOf((value ?? histogram)![1]));
  }
  return shown;
}

const ALL = '{__name__=~".+"}';

async function query(url: string, text: string, atMs: number): Promise<readonly Row[]> {
  const { result } = await apiData<{ result: Row[] }>(url, 'query', { query: text, time: String(atMs / 1000) });
  return result;
}

/** What a job's span metrics count, by span name, kind and status. */
export async function shownCalls(url: string, job: string): Promise<Map<string, number>> {
  const rows = await query(url, `traces_spanmetrics_calls_total{job="${job}"}`, Date.now());
  return new Map(
    rows.map(({ metric, value }) => {
      const { span_name: name, span_kind: kind, status_code: status } = metric;
      return [`${name} ${kind} ${status}`, Number(value?.[1])];
    }),
  );
}

/** The exemplars of a selector in the order of their texts, each as one of `exemplarText`. */
export async function shownExemplars(url: string, selector: string, fromMs: number, toMs: number): Promise<string[]> {
  const params = { query: selector, start: String(fromMs / 1000), end: String(toMs / 1000) };
  const found = await apiData<ApiExemplars[]>(url, 'query_exemplars', params);
  return found
    .flatMap(({ seriesLabels, exemplars }) =>
      exemplars.map(({ labels, value, timestamp }) =>
        exemplarText(seriesLabels, labels, value, Math.round(timestamp * 1000)),
      ),
    )
    .sort();
}

/** An exemplar of a series as a text that is equal for equal ones. */
export function exemplarText(
  series: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
  value: string,
  timeMs: number,
): string {
  return JSON.stringify([sampleKey(series, timeMs), labelsKey(labelsFrom(Object.entries(labels))), value]);
}

interface ApiExemplars {
  readonly seriesLabels: Readonly<Record<string, string>>;
  readonly exemplars: readonly {
    readonly labels: Readonly<Record<string, string>>;
    readonly value: string;
    readonly timestamp: number;
  }[];
}

/** Waits until it holds, or long enough: the comparison then says what is missing. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + WAIT_MS;
  while (!(await holds()) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** Far more than senders take on a busy machine. */
const WAIT_MS = 15_000;

/** Senders leave out a minus zero as they do a zero, so that no receiver gets to know it. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value.replace(/^-0$/, '0') : JSON.stringify(value);
}

/** The API's `data` of an answer. */
export async function apiData<T>(url: string, path: string, params: Readonly<Record<string, string>> = {}): Promise<T> {
  const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(params).toString()}`);
  const body = (await response.json()) as { readonly status: string; readonly data: T };
  if (body.status !== 'success') throw new Error(JSON.stringify(body));
  return body.data;
}
