import { encodeV2, STALE, type WriteSeries } from '../wire/remote-write-requests.ts';
import { federatedLabels, histogramMessage, type Series } from './samples.ts';

/** The time of one request: samples come in the order of time, so that none is out of order. */
const SLICE_MS = 10 * 60_000;

/** The series as requests of remote write 2.0, one for each slice of time; where `labelled` with the domain as a label. */
export function* writeRequests(series: readonly Series[], labelled: boolean): Generator<Uint8Array> {
  const times = series.flatMap(({ samples }) => samples.map(({ timeMs }) => timeMs));
  const last = times.reduce((a, b) => Math.max(a, b), -Infinity);
  const first = times.reduce((a, b) => Math.min(a, b), Infinity);
  for (let from = first; from <= last; from += SLICE_MS) {
    const slice = series.map((one) => writeSeries(one, labelled, from, from + SLICE_MS));
    yield encodeV2(slice.filter((one) => one !== undefined));
  }
}

function writeSeries(series: Series, labelled: boolean, fromMs: number, toMs: number): WriteSeries | undefined {
  const within = series.samples.filter(({ timeMs }) => timeMs >= fromMs && timeMs < toMs);
  if (within.length === 0) return undefined;
  const all = Object.entries(labelled ? federatedLabels(series) : series.labels);
  return {
    labels: all.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    samples: within.flatMap(({ timeMs, value }) =>
      typeof value === 'object' ? [] : [{ value: value === 'stale' ? STALE : value, timestamp: timeMs }],
    ),
    histograms: within.flatMap(({ timeMs, value }) =>
      typeof value === 'object' ? [histogramMessage(value, timeMs)] : [],
    ),
  };
}
