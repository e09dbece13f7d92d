import { dashboard, row, stat, timeseries } from './panels.ts';

const DURATION = 'http_server_request_duration_seconds';
const REQUESTS = `rate(${DURATION}_count[$__rate_interval])`;
const FAILURES = `rate(${DURATION}_count{http_response_status_code=~"5.."}[$__rate_interval])`;
const SPANS = 'rate(traces_spanmetrics_calls_total{span_kind="SPAN_KIND_SERVER"}[$__rate_interval])';

/** A shop in three domains, as the hub sees it. */
export const FEDERATION = dashboard({
  uid: 'comity-federation',
  title: 'Comity: one shop, three domains',
  refresh: '15s',
  panels: [
    row('All domains together'),
    stat('Requests', 'reqps', `sum(${REQUESTS})`),
    stat('Failures', 'percentunit', `sum(${FAILURES}) / sum(${REQUESTS})`),
    stat('95th percentile', 's', `histogram_quantile(0.95, sum by (le) (rate(${DURATION}_bucket[$__rate_interval])))`),
    stat('Telemetry that came', 'percentunit', `min(coverage(${DURATION}_count))`),
    timeseries('Requests by service', 'reqps', [[`sum by (service_name) (${REQUESTS})`, '{{service_name}}']]),
    timeseries('Failures by service', 'percentunit', [
      [`sum by (service_name) (${FAILURES}) / sum by (service_name) (${REQUESTS})`, '{{service_name}}'],
    ]),
    timeseries('95th percentile by service', 's', [
      [
        `histogram_quantile(0.95, sum by (le, service_name) (rate(${DURATION}_bucket[$__rate_interval])))`,
        '{{service_name}}',
      ],
    ]),
    timeseries('Server spans by service', 'ops', [[`sum by (service) (${SPANS})`, '{{service}}']]),
    row('Domain by domain'),
    timeseries('Requests by domain', 'reqps', [[`sum by (domain) (${REQUESTS})`, '{{domain}}']]),
    timeseries('Failures by domain', 'percentunit', [
      [`sum by (domain) (${FAILURES}) / sum by (domain) (${REQUESTS})`, '{{domain}}'],
    ]),
    timeseries('Telemetry that came, by domain', 'percentunit', [[`coverage(${DURATION}_count)`, '{{domain}}']]),
    timeseries('The deepest queues', 'short', [['topk(5, demo_queue_depth)', '{{domain}} {{instance}}']]),
  ],
});
