import { featuresFrom } from '../../src/promql/features.ts';
import { printExpr } from '../../src/promql/print.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { SET, seriesHandle, type Batch } from '../../src/model/batch.ts';
import { isStaleAt, type SeriesColumns } from '../../src/model/series.ts';
import { termSum } from '../../src/federationtest/term-sum.ts';
import { ask } from '../differential/ask.ts';
import { makeDataset } from '../differential/dataset.ts';
import { generateAny } from '../differential/generator.ts';
import { DOMAINS, METRICS, policyFor } from '../differential/metrics.ts';
import { makeNativeSeries, NATIVE_METRICS, nativeBatch } from '../differential/native.ts';
import { judge, termLookup } from '../differential/verdict.ts';
import { writeNatives } from '../oracle/native-write.ts';
import { startOracle } from '../oracle/oracle.ts';
import { remoteWrite } from '../oracle/remote-write.ts';
import { randomFrom } from '../random.ts';
import { store } from '../system/federation.ts';
import { heldBy, startMixedFederation, withoutDomainLabel } from './mixed-federation.ts';
import { startVictoria } from './victoria.ts';

const FEATURES = ['promql-experimental-functions', 'promql-extended-range-selectors', 'promql-binop-fill-modifiers'];

/** The stream of random choices of the native histograms; those of the cases begin at 1. */
const NATIVE = 1_000_000;

export interface MixedOutcome {
  readonly cases: number;
  readonly nonEmpty: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly wrong: readonly string[];
  /** How the two servers' fragments were answered. */
  readonly ways: readonly { readonly pushed: number; readonly read: number }[];
}

/**
 * Asks a federation of a domain with a store, one with a Prometheus and one with a VictoriaMetrics the same random queries as
 * one Prometheus that holds what all three hold. The domains' Prometheus knows the experimental parts of the language at
 * odd seeds.
 */
export async function runMixed(seed: number, cases: number): Promise<MixedOutcome> {
  const [stored, ofPrometheus, ofVictoria] = DOMAINS as [string, string, string];
  const random = randomFrom(seed);
  const { byDomain } = makeDataset(random.fork(0));
  const natives = makeNativeSeries(random.fork(NATIVE));
  const enabled = `--enable-feature=${FEATURES.join(',')}`;
  const stops: (() => Promise<void>)[] = [];
  try {
    const [union, prometheus, victoria] = await Promise.all([
      startOracle({ args: [enabled] }),
      startOracle({ args: seed % 2 === 1 ? [enabled] : [] }),
      startVictoria(),
    ]);
    stops.push(
      () => union.close(),
      () => prometheus.close(),
      () => victoria.close(),
    );
    await remoteWrite(prometheus, withoutDomainLabel(byDomain.get(ofPrometheus)!));
    await writeNatives(prometheus, withoutDomainLabel(natives.get(ofPrometheus)!));
    await remoteWrite(victoria, withoutDomainLabel(byDomain.get(ofVictoria)!));
    await victoria.flush();
    const held = await heldBy(victoria, ofVictoria);
    await remoteWrite(union, [...byDomain.get(stored)!, ...byDomain.get(ofPrometheus)!, ...held]);
    await writeNatives(union, [...natives.get(stored)!, ...natives.get(ofPrometheus)!]);
    const federation = await startMixedFederation({
      domains: [
        { name: stored },
        { name: ofPrometheus, source: { url: prometheus.url } },
        { name: ofVictoria, source: { url: victoria.url } },
      ],
      policy: (domain) => policyFor(domain, [...METRICS, ...NATIVE_METRICS]),
      features: featuresFrom(FEATURES),
    });
    stops.push(() => federation.close());
    const agent = federation.stores.get(stored)!;
    await store(agent, floatBatch(byDomain.get(stored)!));
    await store(agent, nativeBatch(natives.get(stored)!));
    const ways = [...federation.sources.values()].map(({ upstream }) => upstream.counts);
    return { cases, ...(await askAll({ union: union.url, hub: federation.url }, seed, cases)), ways };
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

async function askAll(
  { union, hub }: { readonly union: string; readonly hub: string },
  seed: number,
  cases: number,
): Promise<Pick<MixedOutcome, 'nonEmpty' | 'refused' | 'wrong'>> {
  const refused: Record<string, number> = {};
  const wrong: string[] = [];
  let nonEmpty = 0;
  for (let number = 0; number < cases; number++) {
    const { expr, when } = generateAny(randomFrom(seed).fork(number + 1));
    const query = printExpr(expr);
    const [want, got] = await Promise.all([ask(union, query, when), ask(hub, query, when)]);
    const askTerms = async () => termLookup(await ask(union, printExpr(termSum(expr)), when));
    const verdict = await judge(expr, want, got, askTerms);
    if (verdict.kind === 'refused') refused[verdict.reason] = (refused[verdict.reason] ?? 0) + 1;
    if (verdict.kind === 'equal' && !verdict.empty) nonEmpty++;
    if (verdict.kind === 'wrong') {
      wrong.push(`${number}: ${query} ${JSON.stringify(when)}: ${JSON.stringify(verdict.difference)}`);
    }
  }
  return { nonEmpty, refused, wrong };
}

function floatBatch(series: readonly SeriesColumns[]): Batch {
  const builder = batchBuilder();
  for (const { labels, times, values } of series) {
    const index = builder.series(seriesHandle(labels));
    for (const [i, timeMs] of times.entries()) {
      if (isStaleAt(values, i)) builder.stale(index, timeMs);
      else builder.sample(index, timeMs, values[i]!, SET, 0);
    }
  }
  return builder.build();
}
