import { expect, test } from 'vitest';
import { reportLabels, sampleLabels } from '../../../src/agent/scrape/sample-labels.ts';
import { labelsOf, labelsRecord } from '../../../src/model/labels.ts';

const TARGET = labelsOf({ job: 'shop', instance: 'h:1' });
const ANY = { metricRelabel: [], labelLimit: 0, labelNameBytes: 0, labelValueBytes: 0 };

/** A series with these names and values. */
function series(pairs: readonly string[]) {
  const isEmpty = (i: number): boolean => pairs[i - (i % 2) + 1] === '';
  return {
    labels: () => pairs.filter((_, i) => !isEmpty(i)),
    emptyNames: () => pairs.filter((_, i) => i % 2 === 0 && isEmpty(i)),
  };
}

test.each<[string, string[], boolean, Record<string, string>]>([
  ['both', ['__name__', 'a', 'x', '1'], false, { __name__: 'a', x: '1', job: 'shop', instance: 'h:1' }],
  [
    'a clash',
    ['__name__', 'a', 'job', 'own'],
    false,
    { __name__: 'a', exported_job: 'own', job: 'shop', instance: 'h:1' },
  ],
  [
    'a clash with what was moved before',
    ['__name__', 'a', 'exported_job', 'e', 'job', 'own'],
    false,
    { __name__: 'a', exported_exported_job: 'own', exported_job: 'e', job: 'shop', instance: 'h:1' },
  ],
  ['honoured', ['__name__', 'a', 'job', 'own'], true, { __name__: 'a', job: 'own', instance: 'h:1' }],
  ['an empty one, honoured', ['__name__', 'a', 'instance', ''], true, { __name__: 'a', job: 'shop' }],
  ['an empty one', ['__name__', 'a', 'instance', ''], false, { __name__: 'a', job: 'shop', instance: 'h:1' }],
])('%s', (_, exposed, honorLabels, want) => {
  expect(labelsRecord(sampleLabels(series(exposed), TARGET, { ...ANY, honorLabels })!)).toEqual(want);
});

test('a target whose labels clash with one another', () => {
  const target = labelsOf({ exported_job: 'mine', job: 'shop' });
  const exposed = ['__name__', 'a', 'exported_job', 'e', 'job', 'own'];
  expect(labelsRecord(sampleLabels(series(exposed), target, { ...ANY, honorLabels: false })!)).toEqual({
    __name__: 'a',
    job: 'shop',
    exported_job: 'mine',
    exported_exported_job: 'own',
    exported_exported_exported_job: 'e',
  });
});

test('limits are bytes and labels, the metric name among them', () => {
  const labels = ['__name__', 'a', 'ü', 'ßß'];
  const run = (limits: Partial<typeof ANY>) => () =>
    sampleLabels(series(labels), [], { ...ANY, honorLabels: false, ...limits });
  expect(run({ labelLimit: 2, labelNameBytes: 8, labelValueBytes: 4 })).not.toThrow();
  expect(run({ labelLimit: 1 })).toThrow('a series has 2 labels, label_limit is 1 (metric: "a")');
  expect(run({ labelNameBytes: 7 })).toThrow(
    'the label name "__name__" is longer than label_name_length_limit, 7 bytes',
  );
  expect(run({ labelValueBytes: 3 })).toThrow('the value of "ü" is longer than label_value_length_limit, 3 bytes');
});

test('reports', () => {
  expect(labelsRecord(reportLabels('up', TARGET))).toEqual({ __name__: 'up', job: 'shop', instance: 'h:1' });
});
