/** How a policy treats a metric (the egress class of its domain's policy document). */
export type MetricClass = 'open' | 'aggregate' | 'sealed';

export type MetricKind = 'counter' | 'gauge' | 'histogram';

/** What the generator of queries may know about a metric of the data set. */
export interface Metric {
  readonly name: string;
  readonly kind: MetricKind;
  readonly class: MetricClass;
  /** Labels that a query may match or group by, without `domain` and `le`. */
  readonly labels: readonly string[];
  /** Labels that the series carry and that no policy permits: `without` can never name all of them. */
  readonly hidden?: readonly string[];
  /** A typical value; for a counter a typical increase a second. Thresholds are drawn around it. */
  readonly scale: number;
  /** How often queries ask for it, against the others. */
  readonly weight: number;
  /** Its values can neither be added nor multiplied without overflow: only fit for avg, min, max and count. */
  readonly extreme?: true;
  /** Holds terms near 2^53 that cancel, so that only a compensated sum keeps the small ones. */
  readonly cancelling?: true;
  /** Values are whole numbers, so that `==` and `!=` on them mean something. */
  readonly whole?: true;
}

export const METRICS: readonly Metric[] = [
  { name: 'up', kind: 'gauge', class: 'open', labels: ['job', 'instance'], scale: 1, weight: 3, whole: true },
  {
    name: 'queue_depth',
    kind: 'gauge',
    class: 'open',
    labels: ['job', 'service', 'instance'],
    scale: 40,
    weight: 6,
    whole: true,
  },
  { name: 'temperature_celsius', kind: 'gauge', class: 'open', labels: ['zone', 'instance'], scale: 15, weight: 4 },
  { name: 'cache_hits_total', kind: 'counter', class: 'open', labels: ['service', 'instance'], scale: 5, weight: 4 },
  { name: 'cache_lookups_total', kind: 'counter', class: 'open', labels: ['service', 'instance'], scale: 9, weight: 4 },
  {
    name: 'build_info',
    kind: 'gauge',
    class: 'open',
    labels: ['instance', 'version'],
    scale: 1,
    weight: 1,
    whole: true,
  },
  { name: 'extreme_value', kind: 'gauge', class: 'open', labels: ['instance'], scale: 1e308, weight: 1, extreme: true },
  {
    name: 'http_requests_total',
    kind: 'counter',
    class: 'aggregate',
    labels: ['job', 'instance', 'service', 'method', 'code'],
    scale: 2,
    weight: 10,
    whole: true,
  },
  {
    name: 'http_request_duration_seconds',
    kind: 'histogram',
    class: 'aggregate',
    labels: ['job', 'instance', 'service'],
    scale: 4,
    weight: 6,
  },
  {
    name: 'cpu_seconds_total',
    kind: 'counter',
    class: 'aggregate',
    labels: ['instance', 'mode'],
    scale: 0.4,
    weight: 5,
  },
  { name: 'memory_bytes', kind: 'gauge', class: 'aggregate', labels: ['service', 'instance'], scale: 2e9, weight: 6 },
  {
    name: 'account_balance',
    kind: 'gauge',
    class: 'aggregate',
    labels: ['job'],
    hidden: ['account'],
    scale: 60,
    weight: 3,
    cancelling: true,
  },
  { name: 'tide_level_metres', kind: 'gauge', class: 'aggregate', labels: ['zone'], scale: 3, weight: 1 },
  {
    name: 'customer_orders_total',
    kind: 'counter',
    class: 'sealed',
    labels: ['service'],
    hidden: ['customer'],
    scale: 1,
    weight: 0.6,
  },
];

/** Values that queries may match; some of them exist in no domain. */
export const LABEL_VALUES: Readonly<Record<string, readonly string[]>> = {
  domain: ['eu-west', 'us-east', 'ap-south'],
  job: ['api', 'worker'],
  instance: ['host-1:9090', 'host-2:9090', 'host-3:9090', 'host-4:9090', 'host-5:9090', 'host-6:9090'],
  service: ['checkout', 'catalog', 'payments', 'search'],
  method: ['GET', 'POST'],
  code: ['200', '404', '500'],
  zone: ['a', 'b', 'c'],
  mode: ['user', 'system', 'idle'],
  version: ['1.4.0', '1.5.0', '2.0.0-rc.1'],
};

export const DOMAINS: readonly string[] = ['eu-west', 'us-east', 'ap-south'];

/** The only domain that has `tide_level_metres`. */
export const TIDE_DOMAIN = 'ap-south';

/** The labels that every domain's policy lets queries match and group by. `customer` and `account` are not among them. */
const PERMITTED_LABELS: readonly string[] = Object.keys(LABEL_VALUES).filter((label) => label !== 'domain');

/** The policy document of one domain: the classes of `metrics`, written as its operator would. */
export function policyFor(domain: string, metrics: readonly Metric[] = METRICS): string {
  const rules = metrics.map((metric) => {
    const match = metric.kind === 'histogram' ? `${metric.name}*` : metric.name;
    return `  - {match: '${match}', class: ${metric.class}}`;
  });
  return [
    'version: 1',
    `domain: ${domain}`,
    `labels: {permit: [${PERMITTED_LABELS.join(', ')}], match: [${PERMITTED_LABELS.join(', ')}]}`,
    'metrics:',
    ...rules,
    'default_class: aggregate',
    '',
  ].join('\n');
}
