import { describe, expect, test } from 'vitest';
import { labelValue, labelsKey, withLabel } from '../../src/model/labels.ts';
import { isStaleAt, type SeriesColumns } from '../../src/model/series.ts';
import { INTERVAL_MS, START_MS, makeDataset, type Dataset } from './dataset.ts';
import { generateCase } from './generator.ts';
import { DOMAINS } from './metrics.ts';
import { applyEdit } from '../../src/federationtest/plant-edits.ts';
import { randomFrom } from '../random.ts';

const SEEDS = [1, 2, 3];

function dataset(seed: number): Dataset {
  return makeDataset(randomFrom(seed).fork(0));
}

function allSeries(data: Dataset): SeriesColumns[] {
  return [...data.byDomain.values()].flat();
}

function named(series: readonly SeriesColumns[], name: string): SeriesColumns[] {
  return series.filter(({ labels }) => labelValue(labels, '__name__') === name);
}

describe.for(SEEDS)('the data set of seed %i', (seed) => {
  const data = dataset(seed);
  const series = allSeries(data);

  test('is the same again', () => {
    expect(allSeries(dataset(seed))).toEqual(series);
  });

  test('has ascending times, no series twice and the domain of its store on each', () => {
    expect(new Set(series.map(({ labels }) => labelsKey(labels))).size).toBe(series.length);
    for (const [domain, own] of data.byDomain) {
      for (const { labels, times } of own) {
        expect(labelValue(labels, 'domain')).toBe(domain);
        expect(times.every((time, i) => i === 0 || time > times[i - 1]!)).toBe(true);
      }
    }
  });

  test('has what makes federations go wrong', () => {
    const some = (what: (one: SeriesColumns, i: number) => boolean, of = series): boolean =>
      of.some((one) => one.times.some((_, i) => what(one, i)));
    const temperatures = named(series, 'temperature_celsius');
    expect({
      markers: some(({ values }, i) => isStaleAt(values, i)),
      resets: some(({ values }, i) => i > 0 && values[i]! < values[i - 1]!, named(series, 'http_requests_total')),
      gaps: some(({ times }, i) => i > 0 && times[i]! - times[i - 1]! > 10 * INTERVAL_MS),
      jitter: some(({ times }, i) => (times[i]! - START_MS) % INTERVAL_MS !== 0),
      onGrid: series.some(({ times }) => times.every((time) => (time - START_MS) % INTERVAL_MS === 0)),
      bornLate: series.some(({ times }) => times[0]! > START_MS + 20 * INTERVAL_MS),
      notFinite: some(({ values }, i) => !Number.isFinite(values[i]!) && !isStaleAt(values, i), temperatures),
      negative: some(({ values }, i) => values[i]! < 0, temperatures),
    }).toEqual({
      markers: true,
      resets: true,
      gaps: true,
      jitter: true,
      onGrid: true,
      bornLate: true,
      notFinite: true,
      negative: true,
    });
  });

  test('has series that differ by domain alone, and a metric that one domain has', () => {
    const homeless = series.map(({ labels }) => labelsKey(withLabel(labels, 'domain', '')));
    expect(new Set(homeless).size).toBeLessThan(homeless.length);
    const domains = new Set(named(series, 'tide_level_metres').map(({ labels }) => labelValue(labels, 'domain')));
    expect(domains.size).toBe(1);
  });

  test('has sums that need their compensation by more than the tolerance for cancelled terms', () => {
    const values = named(series, 'account_balance').map((one) => one.values[0]!);
    const plain = values.reduce((sum, value) => sum + value, 0);
    const exact = values.filter((value) => Math.abs(value) < 1e15).reduce((sum, value) => sum + value, 0);
    const terms = values.reduce((sum, value) => sum + Math.abs(value), 0);
    expect(Math.abs(plain - exact)).toBeGreaterThan(16 * 2 ** -52 * terms);
  });

  test('has consistent histograms', () => {
    const buckets = Map.groupBy(named(series, 'http_request_duration_seconds_bucket'), ({ labels }) =>
      labelsKey(withLabel(labels, 'le', '')),
    );
    const bound = ({ labels }: SeriesColumns): number => Number(labelValue(labels, 'le').replace('+Inf', 'Infinity'));
    for (const family of buckets.values()) {
      family.sort((a, b) => bound(a) - bound(b));
      for (const [index, { values }] of family.entries()) {
        const lower = family[index - 1]?.values;
        expect(values.every((value, i) => lower === undefined || isStaleAt(values, i) || value >= lower[i]!)).toBe(
          true,
        );
      }
    }
  });
});

describe('generateCase', () => {
  test('gives the same cases for a seed, and others for another', () => {
    const cases = (seed: number): unknown[] =>
      Array.from({ length: 40 }, (_, number) => generateCase(randomFrom(seed).fork(number + 1)));
    expect(cases(7)).toEqual(cases(7));
    expect(cases(7)).not.toEqual(cases(8));
  });

  test('asks of every domain', () => {
    expect([...dataset(1).byDomain.keys()]).toEqual(DOMAINS);
  });
});

describe('applyEdit', () => {
  const edit = { file: 'src/a.ts', find: 'a + b', replace: '$& - b' };

  test('changes one text as it is written', () => {
    expect(applyEdit('m', 'return a + b;', edit)).toBe('return $& - b;');
  });

  test.for([
    ['no', 'return a;'],
    ['two', 'a + b; a + b'],
  ])('refuses a source that holds it %s times', ([, source]) => {
    expect(() => applyEdit('m', source!, edit)).toThrow(/fault m no longer applies: src\/a\.ts/);
  });
});
