/** The questions that the demo asks its hub. */

export interface DemoQuery {
  readonly title: string;
  /** PromQL. */
  readonly query: string;
}

const DURATION = 'http_server_request_duration_seconds';
const REQUESTS = `rate(${DURATION}_count[1m])`;
const FAILURES = `rate(${DURATION}_count{http_response_status_code=~"5.."}[1m])`;

/** Requests per second, error ratio (0 to 1) and 95th percentile (ms), the three columns of the table. */
export interface Columns {
  readonly rate: DemoQuery;
  readonly errorRatio: DemoQuery;
  readonly p95: DemoQuery;
}

/** One row a service, merged over all domains. */
export const BY_SERVICE = columnsBy('service_name', 'by service, over all domains');

/** One row a service and domain. */
export const BY_SERVICE_AND_DOMAIN = columnsBy('service_name, domain', 'by service and domain');

/** Everything that `--once` waits for. */
export const ALL_QUERIES: readonly DemoQuery[] = [
  ...Object.values<DemoQuery>({ ...BY_SERVICE }),
  ...Object.values<DemoQuery>({ ...BY_SERVICE_AND_DOMAIN }),
  {
    title: 'Server spans per second by service, from traces',
    query: 'sum by (service) (rate(traces_spanmetrics_calls_total{span_kind="SPAN_KIND_SERVER"}[1m]))',
  },
  {
    title: 'The three deepest queues (an open metric: its series may cross)',
    query: 'topk(3, demo_queue_depth)',
  },
];

/** Questions that a policy refuses, in every domain or in one. */
export const REFUSED_QUERIES: readonly DemoQuery[] = [
  {
    title: 'by a label that no policy permits',
    query: 'sum by (customer_id) (rate(demo_orders_total[1m]))',
  },
  {
    title: 'of a metric that every policy seals',
    query: 'sum(rate(customer_spend_EUR_total[1m]))',
  },
  {
    title: 'raw series of a metric of which only aggregates leave',
    query: `${DURATION}_count`,
  },
  {
    title: 'of a metric that ap-south alone seals',
    query: 'sum by (domain) (rate(demo_orders_total[1m]))',
  },
];

function columnsBy(labels: string, suffix: string): Columns {
  const requests = `sum by (${labels}) (${REQUESTS})`;
  return {
    rate: { title: `Requests per second ${suffix}`, query: requests },
    errorRatio: {
      title: `Error ratio ${suffix}`,
      // A service without a failed request has no such series; it counts as zero failures, not as unknown.
      query: `(sum by (${labels}) (${FAILURES}) or 0 * ${requests}) / ${requests}`,
    },
    p95: {
      title: `95th percentile of the duration in milliseconds ${suffix}`,
      query: `1000 * histogram_quantile(0.95, sum by (le, ${labels}) (rate(${DURATION}_bucket[1m])))`,
    },
  };
}
