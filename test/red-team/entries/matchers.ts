import { attempt, harmless, onlyRows, refused, shownBy, type Entry } from '../attempt.ts';
import { atOnce, fragmentOf } from '../hostile-hub.ts';

/** Questions that are answered with yes or no, and what asks them bit by bit. */
export const MATCHER_ENTRIES: readonly Entry[] = [
  {
    name: 'prefix search by matcher',
    attempts: [
      ...refused('aggregate', 'matcher_not_permitted', [
        'count(shop_stock{customer=~"z.*"})',
        'count(shop_stock{customer=~"zq.*"})',
        'partial count(shop_stock{customer="$word"})',
        'sum(shop_stock{customer!=""})',
        'sum(shop_stock{customer=""})',
        'sum(shop_stock{customer!~"a.*"})',
        'sum(shop_stock{user=~".+"})',
        'sum(shop_stock{email=~".+@.+"})',
        'sum(shop_stock{client_ip=~"10.+"})',
        'sum(shop_stock{instance=~"a.*"})',
        'sum(shop_stock{node="n"})',
        'sum(shop_stock{no_such_label=""})',
        'sum(shop_stock{pod=~"pod-.*"})',
        'sum(increase(shop_orders_total{customer=~"z.*"}[1m]))',
        'sum(shop_stock{service="cart", customer=~"z.*"})',
      ]),
      ...refused('open', 'matcher_not_permitted', ['open_tagged{customer=~"z.*"}', 'timed open_tagged{user!=""}']),
      ...refused('sealed', ['matcher_not_permitted', 'class_sealed'], ['sum(secret_balance{customer=~"z.*"})']),
      harmless('aggregate', 'sum(shop_stock{service=~"c.*"})', 'a public label may match', onlyRows(1)),
    ],
  },
  {
    name: 'count(x == 4711)',
    attempts: [
      ...refused('sealed', 'class_sealed', [
        'count(secret_balance == $number)',
        'count(secret_balance > 4711)',
        'sum(secret_balance > bool 4711)',
        'count(secret_deals_total >= 471135000)',
        'vector(scalar(secret_balance) > bool 4711)',
        'sum(shop_stock) * on () (secret_balance > bool 4711)',
        'histogram_quantile(0.5, sum by (le) (secret_latency_bucket))',
        'histogram_fraction(0, 1, sum(secret_size))',
      ]),
      ...refused('protected', 'class_protected', ['count(card_spend == $number)', 'count(card_payments_total > 1)']),
      ...refused('aggregate', 'class_aggregate', ['shop_stock == 11']),
    ],
  },
  {
    name: 'x and on () y{user="42"}',
    attempts: [
      ...refused('aggregate', 'matcher_not_permitted', [
        'sum(shop_stock and on () shop_orders_total{user="42"})',
        'sum(shop_stock unless on () shop_orders_total{customer="$word"})',
        'sum(shop_stock) and on () sum(shop_orders_total{email=~".+"})',
      ]),
      ...refused('open', 'matcher_not_permitted', ['open_queue and on () open_tagged{customer="$word"}']),
      ...refused('sealed', 'class_sealed', [
        'sum(shop_stock and on () secret_balance)',
        'sum(shop_stock unless on () (secret_balance > 4711))',
        'open_queue and on () (sum(secret_balance) > 4711)',
        'open_queue or on () secret_balance',
        'topk(scalar(secret_balance), ranked_score)',
        'clamp_max(open_queue, scalar(secret_balance))',
        'quantile_over_time(scalar(secret_balance), open_queue[1m])',
      ]),
      ...refused('protected', 'class_protected', [
        'open_queue and on () card_spend',
        'open_queue + on () group_left () sum(card_spend)',
      ]),
    ],
  },
  {
    name: 'absent with a restricted matcher',
    attempts: [
      ...refused('aggregate', 'matcher_not_permitted', [
        'absent(shop_stock{customer="$word"})',
        'absent(sum(shop_stock{user="42"}))',
        'absent_over_time(shop_stock{email="a@example.com"}[5m])',
      ]),
      ...refused('open', 'matcher_not_permitted', ['absent(open_tagged{customer="$word"})']),
      ...refused('sealed', 'class_sealed', [
        'absent(secret_balance)',
        'absent(secret_no_such_metric)',
        'absent_over_time(secret_balance[5m])',
        'absent(sum(secret_balance))',
        'absent(secret_balance == $number)',
      ]),
      ...refused('protected', 'class_protected', ['absent(card_spend)', 'absent(card_no_such_metric)']),
      ...refused('aggregate', 'class_aggregate', ['absent(shop_stock)']),
    ],
  },
  {
    name: 'the same refusal whether it is there or not',
    attempts: [
      ['sum(secret_balance)', 'sum(secret_no_such_metric)'],
      ['sum(card_spend)', 'sum(card_no_such_metric)'],
      ['sum by (customer) (shop_stock)', 'sum by (customer) (shop_no_such_metric)'],
      ['sum(shop_stock{customer="$word"})', 'sum(shop_stock{customer="nobody"})'],
      ['shop_stock', 'shop_no_such_metric'],
    ].map(([there, not]) =>
      attempt(
        'every',
        `${there} and ${not}`,
        'nothing in the answers differs but the name',
        async ({ hub, endMs, fill }) => {
          const answers = await Promise.all(
            [there!, not!].map(async (query) => {
              const [answer] = await hub.ask([fragmentOf(fill(query), atOnce(endMs))]);
              return answer !== undefined && 'refusal' in answer
                ? JSON.stringify([answer.refusal.code, answer.refusal.node])
                : `answered with ${shownBy(answer!).length} rows`;
            }),
          );
          return answers[0] === answers[1] ? undefined : `they differ: ${answers.join(' and ')}`;
        },
      ),
    ),
  },
];
