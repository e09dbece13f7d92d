import { afterAll, describe, expect, it } from 'vitest';
import { rangeGrid, stepTime } from '../../src/model/grid.ts';
import { labelsKey, labelsOf, labelsRecord } from '../../src/model/labels.ts';
import type { SeriesColumns } from '../../src/model/series.ts';
import { isStaleAt } from '../../src/model/series.ts';
import type { FragmentAnswer } from '../../src/plan/frames/query-codec.ts';
import { ALL_FEATURES } from '../../src/promql/features.ts';
import { exponential } from '../engine/native-series.ts';
import { series, STALE } from '../memory-source.ts';
import { randomFrom, type Random } from '../random.ts';
import { memoryShards } from '../shard/memory-shards.ts';
import { anyFragment, readingBy, testDomain, type TestDomain } from './domain.ts';

const LEAST = 3;
const OPERATORS = 'sum, count, avg, group, min, max, stddev, stdvar, quantile, topk, count_values, limit_ratio';

const policyOf = (minSeries: number): string => `
version: 1
domain: eu
labels: {permit: ['*']}
metrics:
  - {match: free, class: aggregate}
  - {match: up, class: open}
  - {match: '*', class: aggregate, min_series: ${minSeries}, operators: [${OPERATORS}]}
`;

const GRID = rangeGrid(60_000, 240_000, 30_000);

/** Twenty series or so, each there at some steps only. */
function randomSeries(random: Random): readonly SeriesColumns[] {
  const made = new Map<string, SeriesColumns>();
  for (let i = 0; i < 26; i++) {
    const labels = {
      __name__: random.pick(['m', 'm', 'm', 'n']),
      service: random.pick(['s', 't']),
      route: random.pick(['/a', '/b', '/c']),
      instance: `i${random.int(0, 5)}`,
      domain: 'eu',
    };
    const samples = Array.from({ length: GRID.steps }, (_, step): [number, number | typeof STALE] => [
      stepTime(GRID, step),
      random.chance(0.35) ? STALE : random.int(0, 50),
    ]);
    made.set(labelsKey(labelsOf(labels)), series(labels, samples));
  }
  return [...made.values()];
}

/** By group, how many series of the metric are there at each step: by looking at every sample. */
function contributors(held: readonly SeriesColumns[], metric: string, by: readonly string[]): Map<string, number[]> {
  const groups = new Map<string, number[]>();
  for (const { labels, values } of held) {
    const record = labelsRecord(labels);
    if (record['__name__'] !== metric) continue;
    const key = labelsKey(labelsOf(Object.fromEntries(by.map((name) => [name, record[name] ?? '']))));
    const counts = groups.get(key) ?? Array.from({ length: GRID.steps }, () => 0);
    groups.set(key, counts);
    for (let step = 0; step < GRID.steps; step++) if (!isStaleAt(values, step)) counts[step]! += 1;
  }
  return groups;
}

/** The cells of an answer by group and step, with the numbers of their state. */
function cellsOf(answer: FragmentAnswer): Map<string, unknown> {
  if ('refusal' in answer) throw new Error(JSON.stringify(answer.refusal));
  const cells = new Map<string, unknown>();
  for (const { labels, columns } of answer.rows) {
    const { present, fields, sketches } = columns;
    for (let step = 0; step < present.length; step++) {
      if (present[step] === 0) {
        if (sketches !== undefined) expect(sketches.starts[step + 1]).toBe(sketches.starts[step]);
        continue;
      }
      const bins = sketches?.keys.slice(sketches.starts[step], sketches.starts[step + 1]);
      cells.set(`${labelsKey(labels)}@${step}`, [fields.map((field) => field[step]!), bins]);
    }
  }
  return cells;
}

const ask = async (domain: TestDomain, text: string): Promise<FragmentAnswer> =>
  (await domain.ask([anyFragment(text, GRID)], ALL_FEATURES)).fragments[0]!;

const GROUPINGS: readonly (readonly string[])[] = [
  [],
  ['service'],
  ['route'],
  ['service', 'route'],
  ['service', 'instance'],
  ['route', 'instance', 'service'],
];
const SEED = Number(process.env['COMITY_SEED'] ?? 4711);

describe(`small groups stay in the domain, seed ${SEED}`, () => {
  it.each([1, 3])('whatever is asked, over %d shards', async (shards) => {
    const random = randomFrom(SEED + shards);
    let suppressed = 0;
    let shown = 0;
    for (let round = 0; round < 4; round++) {
      const held = randomSeries(random.fork(round));
      const of = (policy: string): TestDomain =>
        testDomain(policy, () => memoryShards(held, shards, readingBy(policy)));
      const [guarded, free] = [of(policyOf(LEAST)), of(policyOf(1))];
      for (const by of GROUPINGS) {
        const counts = contributors(held, 'm', by);
        const labels = `by (${by.join(', ')})`;
        for (const op of ['sum', 'count', 'avg', 'group', 'min', 'max', 'stddev', 'sketch 0.01 quantile']) {
          const text = op.startsWith('sketch') ? `${op} ${labels} (0.9, m)` : `partial ${op} ${labels} (m)`;
          const said = `seed ${SEED}: ${text}`;
          const all = cellsOf(await ask(free, text));
          const large = cellsOf(await ask(guarded, text));
          const want = [...all].filter(([cell]) => {
            const [key, step] = cell.split('@');
            return counts.get(key!)![Number(step)]! >= LEAST;
          });
          expect(large, said).toEqual(new Map(want));
          suppressed += all.size - large.size;
          shown += large.size;
        }
        // As a vector, and below another aggregation.
        const vector = cellsOf(await ask(guarded, `sum ${labels} (m)`));
        const partial = cellsOf(await ask(guarded, `partial sum ${labels} (m)`));
        expect([...vector.keys()].sort()).toEqual([...partial.keys()].sort());
        const sums = cellsOf(await ask(guarded, `partial sum(count ${labels} (m))`));
        const most = cellsOf(await ask(guarded, `max(count ${labels} (m))`));
        for (let step = 0; step < GRID.steps; step++) {
          const large = [...counts.values()].map((own) => own[step]!).filter((count) => count >= LEAST);
          const total = large.reduce((sum, count) => sum + count, 0);
          expect(sums.get(`[]@${step}`), `${labels}, step ${step}`).toEqual(
            total === 0 ? undefined : [[total, 0], undefined],
          );
          expect(most.get(`[]@${step}`)).toEqual(total === 0 ? undefined : [[Math.max(...large)], undefined]);
        }
      }
      await guarded.close();
      await free.close();
    }
    // Otherwise nothing was tested.
    expect(suppressed).toBeGreaterThan(500);
    expect(shown).toBeGreaterThan(500);
  });
});

describe('what is counted', () => {
  const held = [
    ...[1, 2].map((i) => series({ __name__: 'm', service: 's', instance: `i${i}`, domain: 'eu' }, [[60_000, i]])),
    ...[1, 2, 3].map((i) => series({ __name__: 'm', service: 't', instance: `i${i}`, domain: 'eu' }, [[60_000, i]])),
    series({ __name__: 'm', service: 'h', instance: 'i1', domain: 'eu' }, [[60_000, 7]]),
    ...[2, 3, 4].map((i) =>
      series({ __name__: 'm', service: 'h', instance: `i${i}`, domain: 'eu' }, [[60_000, exponential(0, [[i, i]])]]),
    ),
    ...[1, 2, 3].map((i) =>
      series({ __name__: 'nh', service: 'n', instance: `i${i}`, domain: 'eu' }, [[60_000, exponential(0, [[i, i]])]]),
    ),
    series({ __name__: 'nh', service: 'o', instance: 'i1', domain: 'eu' }, [[60_000, exponential(0, [[1, 47]])]]),
    ...[1, 2, 3].map((i) => series({ __name__: 'free', service: `f${i}`, domain: 'eu' }, [[60_000, i]])),
    series({ __name__: 'up', service: 's', domain: 'eu' }, [[60_000, 1]]),
    ...['1', '2', '+Inf'].map((le) => series({ __name__: 'b', service: 'u', le, domain: 'eu' }, [[60_000, 1]])),
    ...[1, 2, 3].flatMap((i) =>
      ['1', '2', '+Inf'].map((le) =>
        series({ __name__: 'b', service: 'v', instance: `i${i}`, le, domain: 'eu' }, [[60_000, 1]]),
      ),
    ),
    series({ __name__: 'lone', instance: 'i1', domain: 'eu' }, [[60_000, 47]]),
  ];
  const domain = testDomain(policyOf(LEAST), held);
  afterAll(() => domain.close());
  const grid = rangeGrid(60_000, 60_000, 30_000);
  const shown = async (text: string): Promise<unknown> => {
    const [answer] = (await domain.ask([anyFragment(text, grid)], ALL_FEATURES)).fragments;
    if ('refusal' in answer!) return [answer.refusal.name, answer.refusal.code];
    return answer!.rows
      .map(({ labels }) => labelsRecord(labels))
      .map((one) => one['service'] ?? one['__name__'] ?? '')
      .sort();
  };

  it.each<[string, readonly string[]]>([
    ['partial sum by (service) (m)', ['t']],
    ['partial count by (service) (m)', ['h', 't']],
    // Of the four of h only one is a number, and a minimum is of numbers.
    ['partial min by (service) (m)', ['t']],
    ['min by (service) (m)', ['t']],
    ['partial stddev by (service) (m)', ['t']],
    ['sketch 0.01 quantile by (service) (0.5, m)', ['t']],
    ['partial sum by (service) (nh)', ['n']],
    ['partial avg by (service) (nh)', ['n']],
    ['partial sum by (service) (m > 1)', []],
    ['partial sum by (service) (m > 0)', ['t']],
    // Another metric's series would pad a group.
    ['partial sum by (service) ({__name__=~"m|up"})', ['sum', 'operator_not_permitted']],
    ['avg ({__name__=~"m.*"})', ['avg', 'operator_not_permitted']],
    ['sum by (service, __name__) (m)', ['t']],
    // The buckets of one histogram are one producer's.
    ['partial sum by (service) (b)', ['v']],
    ['sum by (service) (b)', ['v']],
    ['sum by (service, __name__) (b)', ['v']],
    ['partial avg without (instance, le) (b)', ['v']],
    ['partial sum by (service, le) (b)', ['v', 'v', 'v']],
    ['sum without (instance) (b)', ['v', 'v', 'v']],
    ['partial sum without (instance) (m)', ['t']],
    ['sum without (instance) (m)', ['t']],
    ['partial sum by (service) (free)', ['f1', 'f2', 'f3']],
    ['partial sum by (service) (up)', ['s']],
    ['sum by (service) (m) or sum by (service) (free)', ['f1', 'f2', 'f3', 't']],
    ['sum by (service) (m) and on (service) up', []],
    ['partial max by (service) (sum_over_time(sum by (service) (m)[1m:30s]))', ['t']],
    ['partial sum by (service) (label_replace(m, "route", "$1", "service", "(.*)"))', ['t']],
    ['histogram_count(sum by (service) (nh))', ['n']],
    ['absent(sum(m{service="s"}))', ['']],
    ['absent(sum(m{service="none"}))', ['']],
    // One series would stand for many, or tell whether it is there.
    ['partial sum(up * on () group_left () m)', ['*', 'operator_not_permitted']],
    ['partial sum(up or m)', ['or', 'operator_not_permitted']],
    ['partial sum(m or on () vector(1))', ['or', 'operator_not_permitted']],
    ['partial sum(up and on (service) m)', ['and', 'operator_not_permitted']],
    ['partial sum(up unless on (service) m)', ['unless', 'operator_not_permitted']],
    ['partial sum(m / m)', ['/', 'operator_not_permitted']],
    ['partial sum(histogram_quantiles(m, "q", 0.1, 0.2, 0.3))', ['histogram_quantiles', 'operator_not_permitted']],
    ['partial sum(label_replace(m, "le", "x", "service", ".*"))', ['label_replace', 'operator_not_permitted']],
    ['partial sum(label_replace(m, ("le"), "x", "service", ".*"))', ['label_replace', 'operator_not_permitted']],
    ['partial sum(label_join(m, "quantile", "", "service"))', ['label_join', 'operator_not_permitted']],
    ['topk(1, m)', ['topk', 'operator_not_permitted']],
    ['count_values("v", m)', ['count_values', 'operator_not_permitted']],
    ['limit_ratio(0.5, m)', ['limit_ratio', 'operator_not_permitted']],
    ['topk(1, sum by (service) (m))', ['t']],
    ['m', ['m', 'class_aggregate']],
  ])('%s', async (text, want) => {
    expect(await shown(text)).toEqual(want);
  });

  it('native histograms of small groups are in no state', async () => {
    const fragment = anyFragment('partial sum by (service) (nh)', grid);
    const { bytes, fragments } = await domain.ask([fragment], ALL_FEATURES);
    expect(fragments).toMatchObject([{ rows: [{ labels: ['service', 'n'] }] }]);
    const few = held.filter(({ labels }) => !labels.includes('o'));
    const without = testDomain(policyOf(LEAST), few);
    const other = await without.ask([fragment], ALL_FEATURES);
    await without.close();
    expect(other.bytes.equals(bytes)).toBe(true);
  });

  it('a state has nothing of the steps at which its group is small', async () => {
    const two = rangeGrid(60_000, 90_000, 30_000);
    const held = (last: boolean) =>
      [1, 2, 3].map((i) => {
        const lone = exponential(2, [[i, 47]]);
        const then: [number, typeof STALE | typeof lone] = [90_000, i === 1 && last ? lone : STALE];
        const labels = { __name__: 'nh', instance: `i${i}`, domain: 'eu' };
        return series(labels, [[60_000, exponential(0, [[i, i]])], then]);
      });
    const answers = [];
    for (const last of [true, false]) {
      const one = testDomain(policyOf(LEAST), held(last));
      for (const text of ['partial sum(nh)', 'partial avg(nh)', 'sum(nh)']) {
        const { bytes, fragments } = await one.ask([anyFragment(text, two)], ALL_FEATURES);
        expect(fragments, text).toMatchObject([{ rows: [{ columns: { present: Uint8Array.of(1, 0) } }] }]);
        answers.push(bytes.toString('hex'));
      }
      await one.close();
    }
    expect(answers.slice(0, 3)).toEqual(answers.slice(3));
  });

  it('notes tell of nothing below the aggregation', async () => {
    const notes = async (text: string): Promise<readonly string[]> => {
      const [answer] = (await domain.ask([anyFragment(text, grid)], ALL_FEATURES)).fragments;
      return 'notes' in answer! ? answer.notes.map(({ code }) => code) : ['refused'];
    };
    expect(await notes('partial min by (service) (m)')).toEqual([]);
    expect(await notes('partial sum by (service) (rate(m[1m]))')).toEqual([]);
    expect(await notes('partial min by (service) (quantile_over_time(2, m[1m]))')).toEqual([]);
    expect(await notes('partial min by (service) (quantile_over_time(2, free[1m]))')).toEqual(['invalid_quantile']);
    expect(await notes('histogram_quantile(2, sum by (service) (nh))')).toEqual(['invalid_quantile']);
  });

  it('values of labels are listed of metrics whose small groups may leave', async () => {
    const values = (name: string) =>
      domain.labels({ name, selectors: [], fromMs: 0, toMs: 120_000, limit: 0 }) as Promise<{ values: string[] }>;
    expect((await values('service')).values).toEqual(['f1', 'f2', 'f3', 's']);
    expect((await values('instance')).values).toEqual([]);
    expect((await values('__name__')).values).toEqual(['b', 'free', 'lone', 'm', 'nh', 'up']);
    expect((await values('')).values).toContain('instance');
  });

  it('explain counts as an answer would', async () => {
    const series = async (text: string) =>
      (await domain.explain([anyFragment(text, grid)])).map((one) => ('series' in one ? one.series : one));
    expect(await series('partial sum(m)')).toEqual([9]);
    expect(await series('partial sum(m{service="s"})')).toEqual([0]);
    expect(await series('partial sum(free{service="f1"})')).toEqual([1]);
  });
});
