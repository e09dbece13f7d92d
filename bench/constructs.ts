import type { RangeQuery } from './ask.ts';
import { dataset, INTERVAL_MS, startOf, type Kind } from './dataset.ts';
import { deliverAll, withPeers } from './deliver.ts';
import { startComity, startPrometheus } from './peers.ts';
import { askWarm, faster } from './query.ts';
import { judge, type Row } from './row.ts';
import type { Settings } from './workload.ts';

const COUNTER = 'http_server_requests_total';
const GAUGE = 'process_resident_memory_megabytes';
const NATIVE = 'http_server_request_duration_seconds';
const CLASSIC = 'http_server_response_seconds';

const KINDS: readonly Kind[] = ['gauge', 'counter', 'histogram', 'classic'];

/** Of all kinds, in the data set's proportions: 2,200 gauges, 4,400 counters, 700 native and 700 classic histograms. */
const SERIES = 8_000;

/** Functions of a window of floats, by the window that shows what they cost. */
const WINDOWED: readonly (readonly [func: string, windows: readonly string[]])[] = [
  ...['sum', 'avg', 'min', 'max', 'stddev'].map((name) => [`${name}_over_time`, ['5m', '1h']] as const),
  ...['count', 'last', 'first', 'present', 'stdvar', 'ts_of_max'].map((name) => [`${name}_over_time`, ['5m']] as const),
  ...['changes', 'resets', 'deriv'].map((name) => [name, ['5m', '1h']] as const),
  ...['mad_over_time', 'delta', 'idelta'].map((name) => [name, ['5m']] as const),
];

/** Each construct in a query whose answer is short, so that writing it weighs little. */
const QUERIES: readonly string[] = [
  ...WINDOWED.flatMap(([func, windows]) => windows.map((window) => `sum by (service) (${func}(${GAUGE}[${window}]))`)),
  `sum by (service) (quantile_over_time(0.9, ${GAUGE}[5m]))`,
  `sum by (service) (quantile_over_time(0.9, ${GAUGE}[1h]))`,
  `sum by (service) (predict_linear(${GAUGE}[5m], 600))`,
  `sum by (service) (double_exponential_smoothing(${GAUGE}[5m], 0.5, 0.5))`,
  `sum by (service) (irate(${COUNTER}[5m]))`,
  `sum by (service) (increase(${COUNTER}[1h]))`,
  `absent_over_time(${GAUGE}{series="none"}[5m])`,
  ...['sum', 'avg', 'max', 'count', 'stddev', 'group'].map((op) => `${op} by (service) (${GAUGE})`),
  `quantile by (service) (0.9, ${GAUGE})`,
  `sum(topk by (service) (10, ${GAUGE}))`,
  `count(count_values("value", round(${GAUGE}, 100)))`,
  `sum by (service) (${GAUGE} / ${GAUGE})`,
  `sum by (service) (${GAUGE} * on (service) group_left () sum by (service) (${GAUGE}))`,
  `sum by (service) (${GAUGE} > 500)`,
  `count(${GAUGE} and ${GAUGE} > 500)`,
  `count(${GAUGE} > 500 or ${GAUGE})`,
  `count(${GAUGE} unless ${GAUGE} > 500)`,
  `sum by (service) (abs(${GAUGE} - 500))`,
  `sum by (kind) (label_replace(${GAUGE}, "kind", "$1", "service", "service-(.*)"))`,
  `max_over_time(sum by (service) (rate(${COUNTER}[5m]))[30m:1m])`,
  `sum by (service) (avg_over_time(${GAUGE}[30m:1m]))`,
  `histogram_quantile(0.9, sum by (service, le) (rate(${CLASSIC}_bucket[5m])))`,
  `sum by (service) (histogram_quantile(0.9, rate(${CLASSIC}_bucket[5m])))`,
  `histogram_quantile(0.9, sum by (service) (rate(${NATIVE}[5m])))`,
  `sum by (service) (histogram_quantile(0.9, rate(${NATIVE}[5m])))`,
  `sum by (service) (histogram_count(${NATIVE}))`,
  `histogram_fraction(0, 0.1, sum by (service) (increase(${NATIVE}[5m])))`,
  `histogram_avg(sum by (service) (sum_over_time(${NATIVE}[5m])))`,
];

const HOUR_MS = 3_600_000;
const DATA_MS = 2 * HOUR_MS + 600_000;

/** One construct of PromQL after the other over an hour at 15 s, warm: none may be slower than Prometheus. */
export function constructs(settings: Settings): Promise<Row[]> {
  const { seed, scale, progress } = settings;
  const scrapes = Math.ceil(DATA_MS / INTERVAL_MS);
  const startMs = startOf(scrapes);
  const endMs = Math.floor((startMs + scrapes * INTERVAL_MS) / 1_000) * 1_000;
  // VictoriaMetrics has no native histograms, nor some of the functions.
  const starts = { comity: startComity, prometheus: startPrometheus };
  return withPeers(starts, async (started, peers) => {
    const series = Math.ceil(SERIES * scale);
    progress(`promql: ${series} gauges, counters and histograms`);
    await deliverAll(peers, dataset({ seed, series, startMs, kinds: KINDS }), scrapes, progress);
    const rows: Row[] = [];
    for (const query of QUERIES) {
      progress(`promql: ${query}`);
      const range: RangeQuery = { query, startMs: endMs - HOUR_MS, endMs, stepMs: INTERVAL_MS };
      const answers = await askWarm(peers, range, settings, { warmUp: 2, warm: 3 });
      rows.push(judge('promql', query, faster(1), answers.of(started)));
    }
    return rows;
  });
}
