import { termSum } from '../../src/federationtest/term-sum.ts';
import { labelValue, METRIC_NAME, withLabel } from '../../src/model/labels.ts';
import type { SeriesColumns } from '../../src/model/series.ts';
import type { AtModifier, Expr } from '../../src/promql/ast.ts';
import { mapChildren } from '../../src/promql/map.ts';
import { featuresFrom } from '../../src/promql/features.ts';
import { printExpr } from '../../src/promql/print.ts';
import { ask } from '../differential/ask.ts';
import { makeDataset, SPAN_MS, START_MS } from '../differential/dataset.ts';
import { generateCase, type When } from '../differential/generator.ts';
import { DOMAINS } from '../differential/metrics.ts';
import { judge, termLookup } from '../differential/verdict.ts';
import { startOracle, type Oracle } from '../oracle/oracle.ts';
import { remoteWrite } from '../oracle/remote-write.ts';
import { randomFrom } from '../random.ts';
import { startFederation } from './federation.ts';

/** What came of the queries of a live federation. */
export interface LiveOutcome {
  readonly samples: number;
  readonly nonEmpty: number;
  readonly wrong: readonly string[];
}

/** The data set lasts so many times less, so that it ends before what a Prometheus takes of the future. */
const FASTER = 5;

/** Behind the start of the senders: older samples are not forwarded. */
const AHEAD_MS = 5_000;

const ARRIVAL_MS = 60_000;
const MINUTE_MS = 60_000;

/**
 * A Prometheus a domain, which forwards all that is written to it to its domain's agent, and to one more Prometheus under its
 * domain label. Then that one and the hub over the agents are asked the same queries.
 */
export async function runLiveFederation(seed: number, queries: number): Promise<LiveOutcome> {
  const random = randomFrom(seed);
  const dataset = makeDataset(random.fork(0));
  const stops: (() => Promise<void>)[] = [];
  try {
    const whole = await startOracle();
    stops.push(whole.close);
    const federation = await startFederation({
      domains: DOMAINS,
      policy: (domain) =>
        JSON.stringify({ version: 1, domain, labels: { permit: ['*'] }, metrics: [{ match: '*', class: 'open' }] }),
      features: featuresFrom([]),
    });
    stops.push(federation.close);
    const senders: Oracle[] = [];
    for (const domain of DOMAINS) {
      const agentUrl = federation.agents.get(domain)!.otlpUrl;
      const sender = await startOracle({
        config: forwarding(domain, `${agentUrl}/api/v1/write`, whole.remoteWriteUrl),
      });
      stops.push(sender.close);
      senders.push(sender);
    }
    const startMs = Math.ceil(Date.now() / 1000) * 1000 + AHEAD_MS;
    const liveTime = (ms: number): number => startMs + Math.round((ms - START_MS) / FASTER);
    const names = new Set<string>();
    for (const [i, domain] of DOMAINS.entries()) {
      const series = (dataset.byDomain.get(domain) ?? []).map((one) => retimed(one, liveTime));
      for (const { labels } of series) names.add(labelValue(labels, METRIC_NAME));
      await remoteWrite(senders[i]!, series);
    }
    const endMs = liveTime(START_MS + SPAN_MS);
    const sources = senders.map(({ url }) => url);
    const samples = await untilArrived([whole.url, federation.url], sources, [...names], endMs + MINUTE_MS);

    let nonEmpty = 0;
    const wrong: string[] = [];
    for (let number = 0; number < queries; number++) {
      const given = generateCase(random.fork(number + 1));
      const expr = atLiveTimes(given.expr, liveTime);
      const when = liveWhen(given.when, liveTime);
      const text = printExpr(expr);
      const [want, got] = await Promise.all([ask(whole.url, text, when), ask(federation.url, text, when)]);
      const verdict = await judge(expr, want, got, async () =>
        termLookup(await ask(whole.url, printExpr(termSum(expr)), when)),
      );
      if (verdict.kind === 'equal' && !verdict.empty) nonEmpty++;
      if (verdict.kind !== 'equal') wrong.push(`${text} ${JSON.stringify(when)}: ${JSON.stringify(verdict)}`);
    }
    return { samples, nonEmpty, wrong };
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

function forwarding(domain: string, agentUrl: string, wholeUrl: string): string {
  const relabelling = `[{ target_label: domain, replacement: ${domain} }]`;
  // Half a second at the longest until what came is sent on.
  const queue = '{ batch_send_deadline: 500ms, min_shards: 1, max_shards: 1 }';
  return (
    `remote_write:\n  - { url: '${agentUrl}', queue_config: ${queue} }\n` +
    `  - { url: '${wholeUrl}', queue_config: ${queue}, write_relabel_configs: ${relabelling} }\n`
  );
}

/** At live times, and without the domain label, which a sender knows nothing of. */
function retimed(series: SeriesColumns, liveTime: (ms: number) => number): SeriesColumns {
  return { ...series, labels: withLabel(series.labels, 'domain', ''), times: series.times.map(liveTime) };
}

/** Waits until each of them holds as many samples as the sources do together, and gives their number. */
async function untilArrived(
  urls: readonly string[],
  sources: readonly string[],
  names: readonly string[],
  timeMs: number,
): Promise<number> {
  const held = async (url: string): Promise<number> => total(names.map((name) => samplesOf(url, name, timeMs)));
  const sent = await total(sources.map(held));
  const deadline = Date.now() + ARRIVAL_MS;
  for (;;) {
    const arrived = await Promise.all(urls.map(held));
    if (arrived.every((found) => found === sent)) return sent;
    if (Date.now() > deadline) throw new Error(`of ${sent} samples there arrived ${arrived.join(' and ')}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function total(counts: readonly Promise<number>[]): Promise<number> {
  return (await Promise.all(counts)).reduce((a, b) => a + b, 0);
}

/** Name by name: over several names at once there would be equal label sets. */
async function samplesOf(url: string, name: string, timeMs: number): Promise<number> {
  const answer = await ask(url, `sum(count_over_time(${name}[30m]))`, { kind: 'instant', timeMs });
  if (answer.kind === 'error') throw new Error(`${url}: ${answer.message}`);
  const [series] = answer.series.values();
  return Number([...(series?.points.values() ?? [])][0] ?? 0);
}

function liveWhen(when: When, liveTime: (ms: number) => number): When {
  if (when.kind === 'instant') return { kind: 'instant', timeMs: liveTime(when.timeMs) };
  const { startMs, endMs, stepMs } = when;
  const live = { kind: 'range', startMs: liveTime(startMs), endMs: liveTime(endMs) } as const;
  return { ...live, stepMs: Math.max(1_000, Math.round(stepMs / FASTER)) };
}

function atLiveTimes(expr: Expr, liveTime: (ms: number) => number): Expr {
  const live = <T extends { readonly at?: AtModifier }>(node: T): T =>
    node.at?.kind === 'time' ? { ...node, at: { kind: 'time', ms: liveTime(node.at.ms) } } : node;
  const visit = (node: Expr): Expr => {
    if (node.kind === 'vector') return live(node);
    if (node.kind === 'matrix') return { ...node, selector: live(node.selector) };
    return mapChildren(node.kind === 'subquery' ? live(node) : node, visit);
  };
  return visit(expr);
}
