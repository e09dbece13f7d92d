import { uncompress } from 'snappyjs';
import { expect, test } from 'vitest';
import { CLASSIC_BOUNDS, dataset, type Kind, timeSeriesOf } from '../../bench/dataset.ts';
import { remoteWriteScrapes } from '../../bench/remote-write-batches.ts';
import { messageCodec } from '../../src/base/proto.ts';

const START_MS = Date.UTC(2026, 0, 1);

const request = messageCodec<{
  readonly timeseries: readonly {
    readonly labels: readonly { readonly name: string; readonly value: string }[];
    readonly samples: readonly { readonly value: number; readonly timestamp: number }[];
  }[];
}>('prometheus/write_v1.proto', 'prometheus.WriteRequest');

function decoded(body: Buffer) {
  return request.decode(uncompress(body)).timeseries.map(({ labels, samples }) => ({
    labels: Object.fromEntries(labels.map(({ name, value }) => [name, value])) as Partial<Record<string, string>>,
    value: samples[0]!.value,
    timeMs: samples[0]!.timestamp,
  }));
}

function firstScrape(kind: Kind, series: number) {
  const data = dataset({ seed: 1, series, startMs: START_MS, kinds: [kind] });
  const [scrape] = [...remoteWriteScrapes(data, 1)];
  return { data, scrape: scrape!, sent: scrape!.bodies.flatMap(decoded) };
}

test('a classic histogram is sent as its buckets, cumulative, its sum and its count', () => {
  const { data, scrape, sent } = firstScrape('classic', 1);
  const [one] = data.series;
  expect(one!.present).toBe(true);
  expect(sent).toHaveLength(timeSeriesOf('classic'));
  expect(scrape.samples).toBe(timeSeriesOf('classic'));
  const buckets = sent.filter(({ labels }) => labels['__name__']?.endsWith('_bucket'));
  expect(buckets.map(({ labels }) => labels['le'])).toEqual([...CLASSIC_BOUNDS.map(String), '+Inf']);
  const counts = buckets.map(({ value }) => value);
  expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  const value = (suffix: string) => sent.find(({ labels }) => labels['__name__']?.endsWith(suffix))?.value;
  expect(value('_count')).toBe(counts.at(-1));
  expect(value('_sum')).toBe(one!.sum);
  expect(one!.count).toBeGreaterThan(0);
});

test('a scrape is cut into bodies at the same places each time, and counts what is there', () => {
  const data = dataset({ seed: 1, series: 5_000, startMs: START_MS, kinds: ['counter', 'gauge'] });
  const cuts: number[] = [];
  for (const { bodies, samples } of remoteWriteScrapes(data, 3)) {
    expect(samples).toBe(data.series.filter(({ present }) => present).length);
    const sent = bodies.map(decoded);
    expect(sent.flat()).toHaveLength(samples);
    for (const [place, body] of sent.entries()) {
      for (const { labels } of body) expect(Math.floor(Number(labels['series']) / 2_000)).toBe(place);
    }
    cuts.push(bodies.length);
  }
  expect(cuts).toEqual([3, 3, 3]);
});

test('the mix is the same whatever else is added, and two sets apart share no series', () => {
  const kinds = (firstSeries: number) =>
    dataset({ seed: 3, series: 2_000, startMs: START_MS, firstSeries }).series.map(({ kind, labels }) => [
      kind,
      labels['series'],
    ]);
  const first = kinds(0);
  const share = (kind: Kind) => first.filter(([one]) => one === kind).length / first.length;
  expect(share('counter')).toBeCloseTo(0.6, 1);
  expect(share('gauge')).toBeCloseTo(0.3, 1);
  expect(share('histogram')).toBeCloseTo(0.1, 1);
  const names = new Set(first.map(([, name]) => name));
  expect(kinds(2_000).some(([, name]) => names.has(name))).toBe(false);
});
