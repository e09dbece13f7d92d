import { sampleOf, SERIES_PER_WORKER, timeOf, type CountModel, type SampleModel } from './senders.ts';

/** What an agent holds against what senders were told that it holds. */
export interface Verdict {
  /** Samples, additions, observations and spans that were acknowledged and are not there. */
  readonly missing: number;
  /** What is there more often than it was sent. */
  readonly doubled: number;
  readonly samples: number;
  readonly sums: number;
  readonly observations: number;
  readonly spans: number;
}

/** Longer than any run: what is asked for lies within it. */
const RANGE = '4h';

/** Asks the agent's local query API for everything and compares. */
export async function verify(
  queryUrl: string,
  baseMs: number,
  samples: SampleModel,
  counts: CountModel,
): Promise<Verdict> {
  const tally = { missing: 0, doubled: 0 };
  const note = (want: number, got: number): void => {
    if (got < want) tally.missing += want - got;
    else tally.doubled += got - want;
  };

  let sampleCount = 0;
  for (const [worker, requests] of samples.requests.entries()) {
    const found = await rawSamples(queryUrl, `crash_samples{worker="${worker}"}`);
    for (let series = 0; series < SERIES_PER_WORKER; series++) {
      const points = found.find(({ metric }) => metric['series'] === String(series))?.values ?? [];
      const byTime = new Map<number, string[]>();
      for (const [seconds, value] of points) {
        const timeMs = Math.round(seconds * 1_000);
        byTime.set(timeMs, [...(byTime.get(timeMs) ?? []), value]);
      }
      for (let request = 0; request < requests; request++) {
        const values = byTime.get(timeOf(baseMs, request)) ?? [];
        note(1, values.filter((value) => value === String(sampleOf(request, series))).length);
        byTime.delete(timeOf(baseMs, request));
      }
      // Whatever is left was never sent.
      tally.doubled += byTime.size;
      sampleCount += requests;
    }
  }

  const lastOf = async (selector: string): Promise<number> => {
    const found = await rawSamples(queryUrl, selector);
    return found.reduce((total, { values, histograms }) => {
      const value = values?.at(-1)?.[1] ?? histograms?.at(-1)?.[1].count ?? '0';
      return total + Number(value);
    }, 0);
  };
  for (const [worker, want] of counts.sums.entries()) {
    note(want, await lastOf(`crash_delta_total{job="crash-${worker}"}`));
  }
  for (const [worker, want] of counts.observations.entries()) {
    note(want, await lastOf(`crash_histogram{job="crash-${worker}"}`));
  }
  for (const [worker, want] of counts.spans.entries()) {
    note(want, await lastOf(`traces_spanmetrics_calls_total{job="crash-${worker}"}`));
  }
  return {
    ...tally,
    samples: sampleCount,
    sums: total(counts.sums),
    observations: total(counts.observations),
    spans: total(counts.spans),
  };
}

interface RawSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly values?: readonly (readonly [seconds: number, value: string])[];
  readonly histograms?: readonly (readonly [seconds: number, histogram: { readonly count: string }])[];
}

async function rawSamples(queryUrl: string, selector: string): Promise<readonly RawSeries[]> {
  const query = new URLSearchParams({ query: `${selector}[${RANGE}]` });
  const response = await fetch(`${queryUrl}/api/v1/query`, { method: 'POST', body: query });
  const text = await response.text();
  if (!response.ok) throw new Error(`${selector}: ${response.status} ${text.slice(0, 400)}`);
  return (JSON.parse(text) as { data: { result: RawSeries[] } }).data.result;
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}
