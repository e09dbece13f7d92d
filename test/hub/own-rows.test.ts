import { describe, expect, it } from 'vitest';
import { assertRowsFit } from '../../src/hub/own-rows.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { FLOAT, HISTOGRAM, INCOMPATIBLE } from '../../src/partial/partial-histograms.ts';
import type { AnswerRow } from '../../src/plan/frames/columns-codec.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { anyFragment } from '../border/domain.ts';
import { ANSWERED_BESIDE } from '../plan/beside.ts';
import { STATUS } from '../plan/random-frames.ts';

const OWNER = { domainLabel: 'domain', domain: 'eu', features: NO_FEATURES };

/** What the hub makes of rows that domain `eu` sends for a fragment: `text`, or `partial …`, `timed …`. */
function accept(asked: string, rows: readonly AnswerRow[], owner = OWNER): void {
  const answer = { ...ANSWERED_BESIDE, status: STATUS, fragments: [{ rows, notes: [] }] };
  assertRowsFit(answer, [anyFragment(asked)], owner);
}

function row(labels: Record<string, string>, ...fields: number[]): AnswerRow {
  return {
    labels: labelsOf(labels),
    columns: { present: Uint8Array.of(1), fields: fields.map((one) => Float64Array.of(one)) },
  };
}

/** The row of a state that saw this. */
function seeing(seen: number, ...fields: number[]): AnswerRow {
  const one = row({}, ...fields);
  const histograms = { seen: Uint8Array.of(seen), blocks: [], metric: '', clashing: [] };
  return { ...one, columns: { ...one.columns, histograms } };
}

describe('a domain speaks for itself only', () => {
  const NOT_ITS_OWN = 'it answered with a series that is not of this domain';

  it.each<[string, Record<string, string>]>([
    ['x', { domain: 'us' }],
    ['x', {}],
    ['timed x', { job: 'a' }],
    ['partial sum(x)', { job: 'a' }],
    ['partial sum by (domain, job) (x)', { domain: 'us', job: 'a' }],
    ['partial sum by (job) (x)', { domain: 'eu' }],
    ['partial sum without (job) (x)', { job: 'a' }],
    ['partial sum without (job) (x)', { __name__: 'x' }],
    ['partial sum without (job) (x)', { domain: 'us' }],
    ['sketch 0.01 quantile(0.5, x)', { job: 'a' }],
  ])('%s %o', (asked, labels) => expect(() => accept(asked, [row(labels, 1, 0)])).toThrow(NOT_ITS_OWN));

  it.each<[string, Record<string, string>]>([
    ['x', { __name__: 'x', domain: 'eu' }],
    ['timed x', { domain: 'eu' }],
    ['partial sum by (domain, job) (x)', { domain: 'eu', job: 'a' }],
    ['partial sum by (job) (x)', {}],
    ['partial sum without (job) (x)', { domain: 'eu', zone: 'z' }],
    ['partial sum by (__name__) (x)', { __name__: 'x' }],
  ])('and is believed: %s %o', (asked, labels) => accept(asked, [row(labels, 1, 0)]));

  it('each label set once, but for those that are to lose their names', () => {
    const twice = [row({ domain: 'eu' }, 1), row({ domain: 'eu' }, 2)];
    const delayed = { ...OWNER, features: { ...NO_FEATURES, delayedNameRemoval: true } };
    expect(() => accept('x', twice)).toThrow(/one label set twice/);
    accept('x', twice, delayed);
    expect(() => accept('timed x', twice, delayed)).toThrow(/one label set twice/);
    const groups = [row({}, 1, 0), row({}, 2, 0)];
    expect(() => accept('partial sum(x)', groups, delayed)).toThrow(/one label set twice/);
  });

  it('names go later only where that was asked for', () => {
    const late = [{ ...row({ domain: 'eu' }, 1), dropsName: true }];
    const delayed = { ...OWNER, features: { ...NO_FEATURES, delayedNameRemoval: true } };
    accept('rate(x[1m])', late, delayed);
    expect(() => accept('rate(x[1m])', late)).toThrow(/names that are to go/);
    expect(() => accept('timed x', late, delayed)).toThrow(/names that are to go/);
  });
});

describe('numbers that series have', () => {
  const GONE = HISTOGRAM | INCOMPATIBLE;

  it.each<[string, AnswerRow]>([
    ['partial count(x)', row({}, 1)],
    ['partial count(x)', row({}, 2 ** 32)],
    ['partial sum(x)', row({}, NaN, 0)],
    ['partial sum(x)', row({}, -Infinity, 0)],
    ['partial sum(x)', row({}, 1e100, -1)],
    ['partial sum(x)', seeing(HISTOGRAM, 0, 0)],
    ['partial sum(x)', seeing(HISTOGRAM | FLOAT, 5, 0)],
    ['partial sum(x)', seeing(GONE, 5, 0)],
    ['partial avg(x)', row({}, Infinity, NaN, 1, 1)],
    ['partial avg(x)', row({}, 3, 0, 2, 0)],
    ['partial avg(x)', seeing(HISTOGRAM, 0, 0, 0, 0)],
    ['partial avg(x)', seeing(HISTOGRAM | FLOAT, 3, 0, 2, 0)],
    ['partial avg(x)', seeing(GONE, 0, 0, 0, 0)],
    ['partial avg(x)', seeing(GONE, 3, 0, 2, 0)],
    ['partial stddev(x)', row({}, 1, NaN, NaN)],
    ['partial stdvar(x)', row({}, 3, -1, 0)],
    ['partial min(x)', row({}, NaN)],
    ['partial group(x)', row({})],
    ['timed x', row({ domain: 'eu' }, NaN)],
    ['timed x', row({ domain: 'eu' }, -1)],
    ['x', row({ domain: 'eu' }, NaN)],
  ])('%s: %o', (asked, one) => accept(asked, [one]));

  it.each<[string, AnswerRow]>([
    ...[NaN, -1, 0, 1.5, 2 ** 32 + 1, Infinity].flatMap((count): [string, AnswerRow][] => [
      ['partial count(x)', row({}, count)],
      ['partial avg(x)', row({}, 0, 0, count, 0)],
      ['partial stddev(x)', row({}, count, 0, 0)],
      ['partial stdvar(x)', row({}, count, 0, 0)],
    ]),
    ['partial stddev(x)', row({}, 2, 0, -1)],
    ['partial sum(x)', row({}, 1, NaN)],
    ['partial sum(x)', row({}, 1, Infinity)],
    ['partial sum(x)', row({}, Infinity, 1)],
    ['partial sum(x)', row({}, NaN, NaN)],
    ['partial sum(x)', seeing(HISTOGRAM, 5, 0)],
    ['partial sum(x)', seeing(HISTOGRAM, 0, 1)],
    ['partial avg(x)', row({}, 1, 0, 2, 2)],
    ['partial avg(x)', row({}, 1, 0, 2, NaN)],
    ['partial avg(x)', seeing(HISTOGRAM, 3, 0, 2, 0)],
    ['partial avg(x)', seeing(HISTOGRAM | FLOAT, 0, 0, 0, 0)],
    ['partial avg(x)', seeing(GONE, 3, 0, 0, 0)],
    ['partial avg(x)', seeing(GONE, 0, 1, 0, 0)],
    ['partial avg(x)', seeing(GONE, 0, 0, 0, 1)],
    ['timed x', row({ domain: 'eu' }, Infinity)],
    ['timed x', row({ domain: 'eu' }, 0.5)],
  ])('are not %s: %o', (asked, one) => expect(() => accept(asked, [one])).toThrow(/that no series have/));

  it('are looked at where there are some', () => {
    const columns = { present: Uint8Array.of(0, 1), fields: [Float64Array.of(-7, 1)] };
    accept('partial count(x)', [{ labels: [], columns }]);
    const present = Uint8Array.of(1, 1);
    expect(() => accept('partial count(x)', [{ labels: [], columns: { ...columns, present } }])).toThrow(/no series/);
  });
});
