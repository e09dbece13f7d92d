import { expect, test } from 'vitest';
import { ENTRIES } from './list.ts';

/** What has to be on the list, be it as attempts or as pending. */
const ITEMS = [
  'group by a restricted label',
  'bare selector',
  'without',
  'count_values',
  'topk and limitk of single series',
  'min, max, quantile and stddev solving on protected',
  'total minus cell on protected',
  'label_replace inside an aggregation',
  'group_left of a restricted label',
  'info()',
  'regex on __name__',
  'prefix search by matcher',
  'quoted UTF-8 label',
  'count(x == 4711)',
  'x and on () y{user="42"}',
  'absent with a restricted matcher',
  'subquery, @ and offset slicing one event on protected',
  'windows one second apart',
  'a thousand rephrasings',
  'invented consumers',
  'Sybil subjects',
  'a dominant contributor',
  'a histogram bucket with one event',
  'error texts',
  'coverage, heartbeats and explain as presence oracles',
  'label, series, exemplar and metadata lists',
  'series, labels, exemplars, federate and remote-read routes',
  'trace by id above the level',
  'personal data in every place of a span',
  'patterns that take for ever',
  'policy rollback, wrong payload type, local loosening',
  'OPA undefined or slow',
  'min_series: 1 in a fragment',
  'forked ledger',
  'answer without a receipt',
  'token reuse',
  'CSR for another domain',
  'replay under another user',
  'replay under another agent, or to another request',
];

test('the list has every item, each with attempts or with what it waits for', () => {
  const names = ENTRIES.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(ITEMS));
  expect(new Set(names).size).toBe(names.length);
  for (const { name, attempts, pending } of ENTRIES) {
    expect(attempts.length > 0 || pending !== undefined, name).toBe(true);
    for (const { wants, what } of attempts) expect(`${wants}${what}`.length, name).toBeGreaterThan(0);
  }
});
