import { DOMAINS } from './topology.ts';

/** The questions that the demo asks its hub. */

export interface DemoQuery {
  readonly title: string;
  /** PromQL. */
  readonly query: string;
}

/** A query that is answered, with the number of series in an answer to which every service has contributed. */
export interface AnsweredQuery extends DemoQuery {
  readonly series: number;
}

/** Services that run in the federation, and pairs of a service and a domain in which it runs. */
const SERVICE_COUNT = new Set(DOMAINS.flatMap((one) => one.services)).size;
const SERVICE_AND_DOMAIN_COUNT = DOMAINS.reduce((sum, one) => sum + one.services.length, 0);

const DURATION = 'http_server_request_duration_seconds';
const REQUESTS = `rate(${DURATION}_count[30s])`;
const FAILURES = `rate(${DURATION}_count{http_response_status_code=~"5.."}[30s])`;

/** Requests per second, error ratio (0 to 1) and 95th percentile (ms), the three columns of the table. */
export interface Columns {
  readonly rate: AnsweredQuery;
  readonly errorRatio: AnsweredQuery;
  readonly p95: AnsweredQuery;
}

/** One row a service, merged over all domains. */
export const BY_SERVICE = columnsBy('service_name', 'by service, over all domains', SERVICE_COUNT);

/** One row a service and domain. */
export const BY_SERVICE_AND_DOMAIN = columnsBy(
  'service_name, domain',
  'by service and domain',
  SERVICE_AND_DOMAIN_COUNT,
);

/** Everything that `--once` waits for. */
export const ALL_QUERIES: readonly AnsweredQuery[] = [
  ...Object.values<AnsweredQuery>({ ...BY_SERVICE }),
  ...Object.values<AnsweredQuery>({ ...BY_SERVICE_AND_DOMAIN }),
  {
    title: 'Server spans per second by service, from traces',
    query: 'sum by (service) (rate(traces_spanmetrics_calls_total{span_kind="SPAN_KIND_SERVER"}[30s]))',
    series: SERVICE_COUNT,
  },
  {
    title: 'The three deepest queues (an open metric: its series may cross)',
    query: 'topk(3, demo_queue_depth)',
    series: 3,
  },
];

/** Questions that a policy refuses, in every domain or in one. */
export const REFUSED_QUERIES: readonly DemoQuery[] = [
  {
    title: 'by a label that no policy permits',
    query: 'sum by (customer_id) (rate(demo_orders_total[30s]))',
  },
  {
    title: 'of a metric that every policy seals',
    query: 'sum(rate(customer_spend_EUR_total[30s]))',
  },
  {
    title: 'raw series of a metric of which only aggregates leave',
    query: `${DURATION}_count`,
  },
  {
    title: 'of a metric that ap-south alone seals',
    query: 'sum by (domain) (rate(demo_orders_total[30s]))',
  },
];

function columnsBy(labels: string, suffix: string, series: number): Columns {
  const requests = `sum by (${labels}) (${REQUESTS})`;
  return {
    rate: { title: `Requests per second ${suffix}`, query: requests, series },
    errorRatio: {
      title: `Error ratio ${suffix}`,
      // A service without a failed request has no such series; it counts as zero failures, not as unknown.
      query: `(sum by (${labels}) (${FAILURES}) or 0 * ${requests}) / ${requests}`,
      series,
    },
    p95: {
      title: `95th percentile of the duration in milliseconds ${suffix}`,
      query: `1000 * histogram_quantile(0.95, sum by (le, ${labels}) (rate(${DURATION}_bucket[30s])))`,
      series,
    },
  };
}
