import type { Arena } from '../arena.ts';
import { attempt, harmless, onlyRows, refused, refusedAfter, type Attempt, type Entry } from '../attempt.ts';
import { atOnce, fragmentOf } from '../hostile-hub.ts';
import { field, fragmentWith, rawQuery, refusalsIn } from '../wire.ts';

/** Which of a sealed or a protected metric is the first that a selector of many meets does not matter. */
const WITHHELD = ['class_sealed', 'class_protected'] as const;

/** Aggregations that show single series, and selectors that pick what they do not name. */
export const OPERATOR_ENTRIES: readonly Entry[] = [
  {
    name: 'count_values',
    attempts: [
      ...refused('aggregate', 'operator_not_permitted', [
        'count_values("service", shop_stock)',
        'sum(count_values("v", shop_stock))',
      ]),
      ...refused('aggregate', 'label_not_permitted', [
        'count_values("customer", ranked_score)',
        'count_values("v", ranked_score)',
      ]),
      ...refused('sealed', 'class_sealed', ['count_values("service", secret_balance)']),
      ...refused('protected', 'class_protected', ['count_values("service", card_spend)']),
      ...refused('aggregate', 'operator_not_permitted', ['count_values("service", guarded_salary)']),
      harmless(
        'aggregate',
        'count_values("service", ranked_score)',
        'the policy lists it, and the label',
        onlyRows(2, 'service'),
      ),
    ],
  },
  {
    name: 'topk and limitk of single series',
    attempts: [
      ...refused('aggregate', 'operator_not_permitted', [
        'topk(1, shop_stock)',
        'bottomk by (service) (1, shop_stock)',
        'limitk(1, shop_stock)',
        'limit_ratio(0.5, shop_stock)',
        'sum(topk(1, shop_stock))',
        'quantile(0.5, shop_stock)',
        'quantile(0.5, ranked_score)',
        'max(mute_level)',
        'topk(1, guarded_salary)',
        'max(guarded_salary)',
        'sketch 0.01 quantile(1, shop_stock)',
      ]),
      ...refused('aggregate', 'limit', ['sketch 0.0001 quantile(1, ranked_score)']),
      ...refused('aggregate', 'label_not_permitted', [
        'topk(1, ranked_tagged)',
        'limitk(1, ranked_tagged)',
        'limit_ratio(0.5, ranked_tagged)',
        'sum(topk(1, ranked_tagged))',
        'topk by (customer) (1, ranked_score)',
      ]),
      ...refused('sealed', 'class_sealed', ['topk(1, secret_balance)']),
      ...refused('protected', 'class_protected', ['limitk(1, card_spend)']),
      ...refused('aggregate', 'class_aggregate', [
        'topk(scalar(shop_stock), ranked_score)',
        'quantile_over_time(scalar(shop_stock), open_queue[1m])',
      ]),
      harmless(
        'aggregate',
        'topk(1, ranked_score)',
        'the policy lists it',
        onlyRows(1, '__name__', 'service', 'pod', 'job', 'domain'),
      ),
    ],
  },
  {
    name: 'regex on __name__',
    attempts: [
      ...refused('sealed', 'class_sealed', [
        'sum({__name__=~"secret_.*"})',
        'count by (__name__) ({__name__=~"secret_b.+"})',
        'sum({__name__=~"secret_balance|shop_stock"})',
        'count({__name__=~"(?:secret)_balance"})',
      ]),
      ...refused('every', WITHHELD, [
        'count by (__name__) ({__name__=~".+"})',
        'sum({job="shop"})',
        'sum({__name__!="shop_stock", job="shop"})',
        'sum({__name__!~"shop_.*", job="shop"})',
        'count({__name__=~".*balance"})',
        'count({__name__=~"(?i)SECRET_balance"})',
        'count({__name__=~"s.*"})',
        '{__name__=~".+"}',
        'timed {__name__=~".+"}',
      ]),
      ...refused('protected', 'class_protected', ['sum({__name__=~"card_.+"})']),
      ...refusedAfter('open', 'label_not_permitted', ['{__name__=~"open_.+"}']),
      ...refused('aggregate', 'class_aggregate', ['{__name__=~"shop_.+"}']),
    ],
  },
  {
    name: 'min_series: 1 in a fragment',
    attempts: [
      ...[5, 6, 9, 14, 100].map((number) =>
        attempt('aggregate', `field ${number} of a fragment: 1`, 'unsupported', (arena) =>
          askedWith(arena, field(number, 1)),
        ),
      ),
      attempt('aggregate', 'field 5 of a fragment: "min_series=1"', 'unsupported', (arena) =>
        askedWith(arena, field(5, 'min_series=1')),
      ),
      harmless('aggregate', 'sum by (service) (guarded_salary)', 'only crew has three series', onlyRows(1, 'service')),
      harmless(
        'aggregate',
        'partial sum by (service) (guarded_salary)',
        'only crew has three series',
        onlyRows(1, 'service'),
      ),
      ...[
        'sum(guarded_salary{service="solo"})',
        'partial sum(guarded_salary{service="solo"})',
        'avg(guarded_salary{service="pair"})',
        'count(guarded_salary{service="solo"} == $number)',
        'count(guarded_salary == $number)',
        'sum(guarded_salary{service="crew"} == $number)',
        'sum by (service) (max_over_time(guarded_salary{service="solo"}[1m]))',
        'sum(sum by (service) (guarded_salary{service="solo"}))',
        'sum_over_time(sum(guarded_salary{service="solo"})[1m:15s])',
        'group(guarded_salary{service="solo"})',
        'sum(guarded_salary{service="solo"} offset 15s)',
        'sum(-guarded_salary{service="solo"}) * -1',
        'sum(abs(guarded_salary{service="solo"}))',
        'sum by (le) (guarded_salary{service="solo"})',
        'sum by (service) (guarded_broken_bucket)',
        'partial sum by (service) (guarded_broken_bucket)',
        'partial avg (guarded_broken_bucket)',
        'sum without (le) (guarded_broken_bucket)',
        'avg(max_over_time(guarded_broken_bucket[1m]))',
      ].map((query) => harmless('aggregate', query, 'no group has three series', onlyRows(0))),
      ...[
        'sum({__name__=~"guarded_salary|shop_stock", service="solo"})',
        'sum by (__name__) ({__name__=~"guarded_salary|shop_stock", service="solo"})',
      ].map((query): Attempt => ({
        what: query,
        attacks: 'aggregate',
        wants: 'no group of one is filled up with series of another metric',
        query,
        judge: (answer) =>
          'refusal' in answer || answer.rows.length === 0
            ? undefined
            : `it was answered, with ${answer.rows.length} rows`,
      })),
      ...refused('aggregate', 'operator_not_permitted', [
        'sum(guarded_salary{service="solo"} or on () mute_level)',
        'sum(guarded_salary{service="solo"} and on () open_queue)',
        'sum(guarded_salary <= $number and on () guarded_salary >= $number)',
        'sum(guarded_salary{service="solo"} * on (service) group_right () open_queue)',
        'sum(open_queue * on () group_left () guarded_salary{service="solo"})',
        'count_values("v", guarded_salary)',
        'min(guarded_salary{service="solo"})',
        'sum({__name__=~"guarded_salary|open_queue", service=~"solo|cart|pay|mail"})',
        'partial sum({__name__=~"guarded_salary|open_queue", service=~"solo|cart|pay|mail"})',
        'sum({__name__=~"guarded_salary|shop_stock", service="solo"})',
        'sum by (__name__) ({__name__=~"guarded_salary|shop_stock", service=~"solo"})',
        'sum(label_replace(label_replace(guarded_broken_bucket, "pod", "$1", "le", "(.*)"), "le", "all", "service", ".*"))',
        'partial sum(label_join(label_join(guarded_broken_bucket, "pod", "", "le"), "le", "", "service"))',
      ]),
      attempt('aggregate', 'notes on a group of one', 'nothing is said of it', async ({ hub, endMs }) => {
        const text = 'sum(histogram_quantile(0.5, guarded_broken_bucket))';
        const [answer] = await hub.ask([fragmentOf(text, atOnce(endMs))]);
        if (answer === undefined || 'refusal' in answer) return `it was refused with ${answer?.refusal.code}`;
        return answer.notes.length === 0 ? undefined : `it says ${JSON.stringify(answer.notes)}`;
      }),
    ],
  },
];

async function askedWith({ hub, endMs }: Arena, more: Buffer): Promise<string | undefined> {
  const fragment = fragmentOf('sum by (service) (guarded_salary)', atOnce(endMs));
  const answer = await hub.askBytes(rawQuery([fragmentWith(fragment, more)]));
  const [refusal] = refusalsIn(answer);
  return refusal?.code === 'unsupported' ? undefined : `it was answered: ${refusal?.code}`;
}
