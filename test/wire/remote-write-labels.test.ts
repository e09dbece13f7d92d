import { expect, test } from 'vitest';
import { handleLabels, RELEASED } from '../../src/model/batch.ts';
import { decoder, encode, T, V1, V2, type WriteSeries } from './remote-write-requests.ts';

function seriesOf(number: number): WriteSeries {
  const labels = [
    ['__name__', `m${number % 7}`],
    ['empty', ''],
    ['instance', `hôst-${number}`],
    ['job', 'api'],
  ] as const;
  return { labels, samples: [{ value: number, timestamp: T }] };
}

test('labels of 1.0 are read again from the bytes that are kept', () => {
  const decode = decoder();
  const request = encode(
    V1,
    Array.from({ length: 200 }, (_, i) => seriesOf(i)),
  );
  const { series } = decode(V1, request).batch;
  const want = series.map(({ labels }) => labels);
  for (const handle of series) handle.labels = RELEASED;
  decode(V1, encode(V1, [seriesOf(1_000)]));
  expect(series.map((handle) => handleLabels(handle))).toEqual(want);
  // A series that is sent again is the same object, without its labels.
  const again = decode(V1, request).batch.series;
  expect(again.map((handle, i) => handle === series[i])).not.toContain(false);
  expect(again.every(({ labels }) => labels === RELEASED)).toBe(true);
});

test('labels whose bytes are forgotten cannot be read again', () => {
  const decode = decoder(16 * 1024);
  const { series } = decode(V1, encode(V1, [seriesOf(0)])).batch;
  series[0]!.labels = RELEASED;
  for (let i = 1; i < 2_000; i++) decode(V1, encode(V1, [seriesOf(i)]));
  expect(handleLabels(series[0]!)).toBeUndefined();
  expect(decode(V1, encode(V1, [seriesOf(0)])).batch.series[0]!.labels).toContain('hôst-0');
});

test('labels of 2.0 are kept', () => {
  const { series } = decoder()(V2, encode(V2, [seriesOf(0)])).batch;
  expect(series[0]!.owner).toBeUndefined();
});
