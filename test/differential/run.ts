import type { Agent } from '../../src/agent/agent.ts';
import { featuresFrom } from '../../src/promql/features.ts';
import { writeNatives } from '../oracle/native-write.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { SET, seriesHandle, type Batch } from '../../src/model/batch.ts';
import type { SeriesColumns } from '../../src/model/series.ts';
import type { Expr } from '../../src/promql/ast.ts';
import { printExpr } from '../../src/promql/print.ts';
import { startOracle } from '../oracle/oracle.ts';
import { remoteWrite } from '../oracle/remote-write.ts';
import { startFederation, store, type Federation } from '../system/federation.ts';
import { ask } from './ask.ts';
import { termSum } from '../../src/federationtest/term-sum.ts';
import type { Difference } from './compare.ts';
import { makeDataset, type Dataset } from './dataset.ts';
import { generateAny, type Case, type When } from './generator.ts';
import { DOMAINS, METRICS, policyFor } from './metrics.ts';
import { makeNativeSeries, NATIVE_METRICS, nativeBatch } from './native.ts';
import { randomFrom } from '../random.ts';
import type { Options } from './options.ts';
import { shrinkCase } from './shrink.ts';
import { judge, termLookup, type Verdict } from './verdict.ts';

export interface WrongCase {
  readonly number: number;
  readonly query: string;
  readonly when: When;
  readonly difference: Difference;
  /** A smaller case that is wrong too, or the case itself. */
  readonly shrunk: { readonly query: string; readonly when: When };
}

export interface Outcome {
  readonly asked: number;
  readonly nonEmpty: number;
  /** Errors of the oracle that were errors of the federation too. */
  readonly errors: number;
  readonly refused: ReadonlyMap<string, number>;
  readonly wrong: readonly WrongCase[];
  readonly seconds: number;
}

/** Of the language alone: what domains are asked with them is a part of the request. */
const FEATURES = ['promql-experimental-functions', 'promql-extended-range-selectors', 'promql-binop-fill-modifiers'];

/** The stream of random choices of the native histograms; those of the cases begin at 1. */
const NATIVE = 1_000_000;

const SERIES_PER_BATCH = 50;
const PROGRESS_CASES = 50;

/**
 * Starts both sides, gives them the same series and asks them the same queries, one after the other. Under a mutant it
 * stops at the first wrong answer. `say` takes lines about progress.
 */
export async function runDifferential(options: Options, say: (line: string) => void): Promise<Outcome> {
  const started = performance.now();
  const random = randomFrom(options.seed);
  const dataset = makeDataset(random.fork(0));
  const natives = makeNativeSeries(random.fork(NATIVE));
  const oracle = await startOracle({ args: [`--enable-feature=${FEATURES.join(',')}`] });
  let federation: Federation | undefined;
  try {
    // A mutant is planted in this thread alone.
    const shards = options.mutant === undefined ? shardsOf : () => 0;
    const policy = (domain: string): string => policyFor(domain, [...METRICS, ...NATIVE_METRICS]);
    federation = await startFederation({ domains: DOMAINS, policy, shards, features: featuresFrom(FEATURES) });
    await remoteWrite(oracle, [...dataset.byDomain.values()].flat());
    await writeNatives(oracle, [...natives.values()].flat());
    await fillStores(federation, dataset);
    for (const [domain, series] of natives) await storeAll(federation, domain, nativeBatch(series));
    say(`seed ${options.seed}: ${describe(dataset)}, ready after ${secondsSince(started)} s`);
    const sides = { oracle: oracle.url, hub: federation.url };
    return { ...(await askAll(sides, options, say)), seconds: secondsSince(started) };
  } finally {
    await federation?.close();
    await oracle.close();
  }
}

interface Sides {
  readonly oracle: string;
  readonly hub: string;
}

async function askAll(sides: Sides, options: Options, say: (line: string) => void): Promise<Omit<Outcome, 'seconds'>> {
  const refused = new Map<string, number>();
  const wrong: WrongCase[] = [];
  let asked = 0;
  let nonEmpty = 0;
  let errors = 0;
  for (let number = options.only ?? 0; number < (options.only ?? options.cases - 1) + 1; number++) {
    const given = generateAny(randomFrom(options.seed).fork(number + 1));
    const verdict = await judgeCase(sides, given);
    asked++;
    if (verdict.kind === 'refused') refused.set(verdict.reason, (refused.get(verdict.reason) ?? 0) + 1);
    if (verdict.kind === 'equal' && verdict.error) errors++;
    if (verdict.kind === 'equal' && !verdict.empty) nonEmpty++;
    if (verdict.kind === 'wrong') wrong.push(await explainWrong(sides, number, given, verdict.difference));
    if (options.verbose) say(`${number} ${describeVerdict(verdict)}: ${describeCase(given)}`);
    else if (asked % PROGRESS_CASES === 0) say(`${asked} cases, ${wrong.length} wrong`);
    if (verdict.kind === 'wrong' && options.mutant !== undefined) break;
  }
  return { asked, nonEmpty, errors, refused, wrong };
}

async function judgeCase(sides: Sides, { expr, when }: Case): Promise<Verdict> {
  const query = printExpr(expr);
  const [want, got] = await Promise.all([ask(sides.oracle, query, when), ask(sides.hub, query, when)]);
  return judge(expr, want, got, async () => termLookup(await ask(sides.oracle, printExpr(termSum(expr)), when)));
}

async function explainWrong(sides: Sides, number: number, given: Case, difference: Difference): Promise<WrongCase> {
  const shrunk = await shrinkCase(given, async (attempt) => (await judgeCase(sides, attempt)).kind === 'wrong');
  return {
    number,
    query: printExpr(given.expr),
    when: given.when,
    difference,
    shrunk: { query: printExpr(shrunk.expr), when: shrunk.when },
  };
}

/** One domain answers from two threads, one from one, the others from none. */
function shardsOf(domain: string): number {
  return Math.max(0, 2 - DOMAINS.indexOf(domain));
}

/** Several batches a domain; one domain's older half lies in chunks. */
async function fillStores(federation: Federation, dataset: Dataset): Promise<void> {
  for (const [domain, series] of dataset.byDomain) {
    const agent = agentOf(federation, domain);
    const middle = (dataset.startMs + dataset.endMs) / 2;
    for (const [fromMs, toMs] of [
      [-Infinity, middle],
      [middle, Infinity],
    ] as const) {
      for (let i = 0; i < series.length; i += SERIES_PER_BATCH) {
        await storeAll(federation, domain, batchOf(series.slice(i, i + SERIES_PER_BATCH), fromMs, toMs));
      }
      if (domain === DOMAINS[0] && toMs === middle) {
        await Promise.all(agent.shards.shards.map((shard) => shard.compact()));
      }
    }
  }
}

function agentOf(federation: Federation, domain: string): Agent {
  const agent = federation.agents.get(domain);
  if (agent === undefined) throw new Error(`no agent of ${domain}`);
  return agent;
}

async function storeAll(federation: Federation, domain: string, batch: Batch): Promise<void> {
  const { stored, rejected } = await store(agentOf(federation, domain), batch);
  if (stored === batch.times.length) return;
  throw new Error(`${domain} stored ${stored} of ${batch.times.length} samples: ${JSON.stringify([...rejected])}`);
}

/** The samples in [fromMs, toMs), copied by columns: staleness markers differ from NaN in their bits alone. */
function batchOf(series: readonly SeriesColumns[], fromMs: number, toMs: number): Batch {
  const cut = series.map(({ times, values }) => {
    const from = times.findIndex((time) => time >= fromMs && time < toMs);
    const to = times.findLastIndex((time) => time >= fromMs && time < toMs) + 1;
    return from < 0
      ? { times: times.subarray(0, 0), values: values.subarray(0, 0) }
      : { times: times.subarray(from, to), values: values.subarray(from, to) };
  });
  const rows = cut.reduce((sum, { times }) => sum + times.length, 0);
  const seriesOf = new Uint32Array(rows);
  const times = new Float64Array(rows);
  const values = new Float64Array(rows);
  let row = 0;
  for (const [id, columns] of cut.entries()) {
    const end = row + columns.times.length;
    seriesOf.fill(id, row, end);
    times.set(columns.times, row);
    values.set(columns.values, row);
    row = end;
  }
  return {
    ...batchBuilder().build(),
    series: series.map(({ labels }) => seriesHandle(labels)),
    seriesOf,
    times,
    values,
    modes: new Uint8Array(rows).fill(SET),
  };
}

function describe(dataset: Dataset): string {
  return [...dataset.byDomain].map(([domain, series]) => `${domain} ${series.length} series`).join(', ');
}

function describeVerdict(verdict: Verdict): string {
  if (verdict.kind === 'refused') return `refused (${verdict.reason})`;
  if (verdict.kind === 'wrong') return 'WRONG';
  return verdict.error ? 'equal errors' : verdict.empty ? 'equal, empty' : 'equal';
}

function describeCase({ expr, when }: { readonly expr: Expr; readonly when: When }): string {
  return `${printExpr(expr)} ${describeWhen(when)}`;
}

/** In the units of the query API, so that the line can be asked again by hand. */
export function describeWhen(when: When): string {
  return when.kind === 'instant'
    ? `instant time=${when.timeMs / 1000}`
    : `range start=${when.startMs / 1000} end=${when.endMs / 1000} step=${when.stepMs / 1000}`;
}

function secondsSince(started: number): number {
  return Math.round((performance.now() - started) / 100) / 10;
}
