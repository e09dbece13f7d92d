import type { Arena } from '../arena.ts';
import { refused, type Entry } from '../attempt.ts';
import { rangeGrid, type QueryGrid } from '../../../src/model/grid.ts';

const NOT_YET =
  'protected metrics are withheld whole as yet: atoms, their k, windows and budgets are not there to be attacked';

/** At the end and before, `ms` apart. */
function apart(ms: number): (arena: Arena) => QueryGrid {
  return ({ endMs }) => rangeGrid(endMs - ms, endMs, ms);
}

/** What solves for one subject. A protected metric is withheld whole as yet, so that each of them is refused as one. */
export const PROTECTED_ENTRIES: readonly Entry[] = [
  {
    name: 'min, max, quantile and stddev solving on protected',
    attempts: refused('protected', 'class_protected', [
      ...['min', 'max', 'stddev', 'stdvar', 'avg', 'group', 'sum', 'count'].map(
        (op) => `${op} by (service) (card_spend)`,
      ),
      ...['min', 'max', 'stddev', 'sum', 'count'].map((op) => `partial ${op} (card_spend)`),
      'quantile(0, card_spend)',
      'quantile(1, card_spend)',
      'sketch 0.01 quantile(0.5, card_spend)',
      'topk(1, card_spend)',
    ]),
  },
  {
    name: 'total minus cell on protected',
    attempts: refused('protected', 'class_protected', [
      'sum(card_spend) - sum(card_spend{service!="cart"})',
      'sum(card_spend) - on () sum(card_spend{service="pay"})',
      'partial sum(card_spend{service!="cart"})',
      'count(card_spend) - count(card_spend{service=~"p.*"})',
    ]),
    pending: NOT_YET,
  },
  {
    name: 'subquery, @ and offset slicing one event on protected',
    attempts: refused('protected', 'class_protected', [
      'sum(card_spend @ start())',
      'sum(card_spend offset 1s)',
      'sum(card_spend offset -1s)',
      'sum(sum_over_time(card_spend[5m:1s]))',
      'max_over_time(sum(card_spend)[5m:1s])',
      'sum(increase(card_payments_total[15s] @ end()))',
      'sum(increase(card_payments_total[15s] offset 15s))',
    ]),
    pending: NOT_YET,
  },
  {
    name: 'windows one second apart',
    attempts: [
      ...refused(
        'protected',
        'class_protected',
        ['sum(increase(card_payments_total[1m]))', 'sum(card_spend)'],
        apart(1_000),
      ),
      ...refused('sealed', 'class_sealed', ['sum(increase(secret_deals_total[1m]))'], apart(1_000)),
      ...refused('protected', 'class_protected', [
        'sum(increase(card_payments_total[61s]))',
        'sum(increase(card_payments_total[60s]))',
      ]),
    ],
    pending: NOT_YET,
  },
  { name: 'Sybil subjects', attempts: [], pending: NOT_YET },
  { name: 'a dominant contributor', attempts: [], pending: NOT_YET },
  {
    name: 'a histogram bucket with one event',
    attempts: [
      ...refused('protected', 'class_protected', [
        'sum by (le) (card_latency_bucket)',
        'partial sum by (le) (card_latency_bucket)',
        'histogram_quantile(0.5, sum by (le) (card_latency_bucket))',
      ]),
      ...refused('sealed', 'class_sealed', ['sum by (le) (secret_latency_bucket)', 'sum(secret_size)']),
    ],
    pending: NOT_YET,
  },
];
