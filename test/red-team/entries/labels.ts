import { harmless, onlyRows, refused, refusedAfter, type Entry } from '../attempt.ts';

/** Labels that may not leave, in every place of a query where a label can stand. */
export const LABEL_ENTRIES: readonly Entry[] = [
  {
    name: 'group by a restricted label',
    attempts: [
      ...refused('aggregate', 'label_not_permitted', [
        'partial sum by (customer) (shop_orders_total)',
        'sum by (customer) (shop_orders_total)',
        'sum by (service, user) (shop_orders_total)',
        'count by (email) (shop_stock)',
        'group by (client_ip) (shop_stock)',
        'max by (instance) (shop_stock)',
        'sum by (node) (rate(shop_orders_total[1m]))',
        'sketch 0.01 quantile by (customer) (0.5, ranked_tagged)',
        'max(sum by (customer) (shop_stock))',
        'count(count by (customer) (shop_stock))',
        'sum by (service) (sum by (service, customer) (shop_stock))',
        'sum by (no_such_label) (shop_stock)',
      ]),
      ...refused('open', 'label_not_permitted', ['sum by (customer) (open_tagged)']),
      harmless('aggregate', 'sum by (service) (shop_stock)', 'a public label may group', onlyRows(3, 'service')),
      harmless('aggregate', 'sum by (pod) (shop_stock)', 'the policy lists it', onlyRows(3, 'pod')),
    ],
  },
  {
    name: 'without',
    attempts: [
      ...refusedAfter('aggregate', 'label_not_permitted', [
        'sum without (service) (shop_orders_total)',
        'partial sum without (service) (shop_orders_total)',
        'count without () (shop_stock)',
        'sum without (customer, user, email, client_ip, instance, node) (shop_stock)',
      ]),
      ...refused('aggregate', 'label_not_permitted', ['max(sum without (service) (shop_stock))']),
      ...refusedAfter('open', 'label_not_permitted', ['sum without (service) (open_tagged)']),
      harmless(
        'aggregate',
        'sum without (service) (mute_level)',
        'none of its labels is restricted',
        onlyRows(1, 'job', 'domain'),
      ),
    ],
  },
  {
    name: 'bare selector',
    attempts: [
      ...refused('aggregate', 'class_aggregate', [
        'shop_stock',
        'timed shop_stock',
        'rate(shop_orders_total[1m])',
        'last_over_time(shop_stock[5m])',
        'abs(shop_stock)',
        'shop_stock > 11',
        'shop_stock and shop_orders_total',
        'vector(scalar(shop_stock))',
        'sort(shop_stock)',
        'timestamp(shop_stock)',
        'histogram_quantile(0.5, shop_latency_seconds_bucket)',
        'histogram_sum(shop_size)',
        'guarded_salary',
      ]),
      ...refusedAfter('open', 'label_not_permitted', [
        'open_tagged',
        'timed open_tagged',
        'rate(open_tagged[1m])',
        'up',
      ]),
      ...refused('sealed', 'class_sealed', ['secret_balance', 'timed secret_balance', 'histogram_count(secret_size)']),
      ...refused('protected', 'class_protected', ['card_spend', 'rate(card_payments_total[1m])']),
      harmless('open', 'open_queue', 'all its labels may leave', onlyRows(3, '__name__', 'service', 'job', 'domain')),
    ],
  },
  {
    name: 'label_replace inside an aggregation',
    attempts: refused('aggregate', 'label_not_permitted', [
      'sum by (service) (label_replace(shop_stock, "service", "$1", "customer", "(.*)"))',
      'sum by (service) (label_replace(shop_stock, "service", "$1", "instance", "(.*)"))',
      'sum by (customer) (label_replace(shop_stock, "customer", "$1", "service", "(.*)"))',
      'sum by (service) (label_join(shop_stock, "service", "-", "user", "email"))',
      'label_replace(open_tagged, "service", "$1", "customer", "(.*)")',
      'sum by (service) (sort_by_label(shop_stock, "customer"))',
      'sum by (x) (label_replace(label_replace(shop_stock, "x", "$1", "node", "(.*)"), "node", "", "", ""))',
    ]),
  },
  {
    name: 'group_left of a restricted label',
    attempts: [
      ...refused('open', 'label_not_permitted', [
        'sum by (service) (open_queue * on (service) group_left (customer) open_tagged)',
        'open_queue * on (service) group_left (instance) open_tagged',
        'open_tagged * on (service) group_right (user) open_queue',
        'sum by (service) (open_queue * on (customer) open_tagged)',
        'sum(open_queue * ignoring (service) group_left () open_tagged)',
        'open_queue and on (customer) open_tagged',
      ]),
      ...refused('aggregate', 'label_not_permitted', [
        'sum by (service) (shop_stock * on (service, pod) group_left (customer) shop_stock)',
      ]),
    ],
  },
  {
    name: 'info()',
    attempts: [
      ...refused('aggregate', 'unsupported', [
        'sum(info(shop_stock))',
        'sum by (service) (info(shop_stock, {customer=~".+"}))',
      ]),
      ...refused('open', 'unsupported', ['info(open_queue)']),
      ...refused('sealed', ['unsupported', 'class_sealed'], ['info(open_queue, {__name__="secret_balance"})']),
    ],
  },
  {
    name: 'quoted UTF-8 label',
    attempts: [
      ...refused('aggregate', 'label_not_permitted', [
        'sum by ("kunde.name") (shop_stock)',
        'sum by (service) (label_replace(shop_stock, "service", "$1", "kunde.name", "(.*)"))',
      ]),
      ...refusedAfter('aggregate', 'label_not_permitted', ['sum without ("kunde.name") (shop_stock)']),
      ...refused('aggregate', 'matcher_not_permitted', ['sum(shop_stock{"kunde.name"=~".+"})']),
      ...refused('sealed', 'class_sealed', ['sum({"secret_balance"})', '{"secret_balance", service="cart"}']),
    ],
  },
];
