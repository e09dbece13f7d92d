import { ComityError } from '../../../src/base/errors.ts';
import { newTraceparent } from '../../../src/base/traceparent.ts';
import { runQuery, type QueryResult } from '../../../src/hub/query.ts';
import type { Domain } from '../../../src/hub/registry.ts';
import { instantGrid, rangeGrid, type QueryGrid } from '../../../src/model/grid.ts';
import { ALL_FEATURES, hubFeatures, NO_FEATURES } from '../../../src/promql/features.ts';
import { parseExpr } from '../../../src/promql/parse.ts';
import { randomFrom, type Random } from '../../random.ts';
import type { Fault } from './fault.ts';
import { DOMAIN_LABEL, honestDomain, reached, START_MS, type HonestDomain } from './honest-domains.ts';
import { lyingTransport } from './lying-transport.ts';
import { MESSAGE_FAULTS } from './message-faults.ts';
import { RECEIPT_FAULTS } from './receipt-faults.ts';
import { ROW_FAULTS } from './row-faults.ts';
import { TRANSPORT_FAULTS } from './transport-faults.ts';

export const FAULTS: readonly Fault[] = [...TRANSPORT_FAULTS, ...RECEIPT_FAULTS, ...MESSAGE_FAULTS, ...ROW_FAULTS];

/** Fragments of every kind. */
const QUERIES = [
  'x_total',
  'rate(x_total[2m]) > 0',
  'sum by (job) (rate(x_total[2m]))',
  'sum(g) / count(g)',
  'sum by (domain, job) (g)',
  'count without (instance) (g)',
  'avg without (instance, domain) (g)',
  'g - on () group_left () avg(g)',
  'stddev by (job) (g) - stdvar by (job) (g)',
  'max by (domain) (g) - min by (domain) (g)',
  'group by (job) (g)',
  'quantile by (job) (0.9, g)',
  'h',
  'rate(h[2m])',
  'sum(h)',
  'avg by (job) (h)',
  'sum by (job) ({__name__=~"g|h"})',
  'histogram_quantile(0.9, sum by (job) (rate(h[2m])))',
  'topk(2, g)',
  'x_total * on (job, instance, domain) g',
  'info(g)',
  'max_over_time(sum(g)[2m:30s])',
  'count_values("v", g)',
  'sum(g) + on () min(coverage(h))',
];

/** A query answered with a domain at fault, and what was wrong about that. */
export interface Case {
  readonly fault: string;
  /** What the hub did that it must not; undefined when it did well. */
  readonly found: string | undefined;
  /** What became of the domain at fault, or of the query. */
  readonly outcome: string;
}

/** Deadlines: of a query that is answered, and of one that has to wait for a domain that says nothing. */
const QUERY_MS = 20_000;
const SILENT_MS = 150;

/** Case `index` of a seed: every fault has its turn. */
export async function runCase(seed: number, index: number): Promise<Case> {
  const fault = FAULTS[index % FAULTS.length]!;
  const random = randomFrom(seed).fork(index);
  const names = ['d1', 'd2', 'd3', 'd4'].slice(0, random.int(2, 4));
  const domains = names.map((name, i) => honestDomain(name, random.fork(i)));
  const elsewhere = honestDomain('elsewhere', random.fork(9));
  try {
    // Not every answer has what the fault is about.
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const done = await tryCase(fault, { domains, elsewhere, random: random.fork(100 + attempt) });
      if (done !== undefined) return done;
    }
    return { fault: fault.name, found: 'no answer that it could change', outcome: 'none' };
  } finally {
    for (const one of [...domains, elsewhere]) await one.close();
  }
}

const ATTEMPTS = 200;

interface Place {
  readonly domains: readonly HonestDomain[];
  readonly elsewhere: HonestDomain;
  readonly random: Random;
}

/** Undefined when the fault had nothing to change. */
async function tryCase(fault: Fault, { domains, elsewhere, random }: Place): Promise<Case | undefined> {
  const liar = random.pick(domains);
  const text = random.pick(fault.about === undefined ? QUERIES : QUERIES.filter((one) => fault.about!.test(one)));
  const grid = random.chance(0.4)
    ? instantGrid(START_MS + random.int(2, 9) * 60_000)
    : rangeGrid(START_MS + 120_000, START_MS + random.int(3, 9) * 60_000, 30_000);
  const ask = (registry: readonly Domain[]): Promise<QueryResult> =>
    query(text, grid, registry, fault.isSilent === true ? SILENT_MS : QUERY_MS);
  const lying = lyingTransport(fault, liar, elsewhere, random);
  const registry = domains.map((one) => reached(one.name, one === liar ? lying.transport : one.transport));
  lying.prime(registry[domains.indexOf(liar)]!);
  const startedMs = performance.now();
  const outcome = await ask(registry).catch((error: unknown) => error as Error);
  const tookMs = performance.now() - startedMs;
  if (!lying.hasLied()) return undefined;
  const without = await ask(domains.filter((one) => one !== liar).map((one) => reached(one.name, one.transport)));
  const found = judge(outcome, without, { fault, liar: liar.name, text, tookMs });
  return {
    fault: fault.name,
    found: found && `${found}\n  ${text} (${liar.name} of ${domains.length})`,
    outcome: named(outcome, liar.name),
  };
}

function query(text: string, grid: QueryGrid, registry: readonly Domain[], timeMs: number): Promise<QueryResult> {
  return runQuery(
    {
      text,
      expr: parseExpr(text, hubFeatures(ALL_FEATURES)),
      grid,
      lookbackMs: 300_000,
      features: hubFeatures(NO_FEATURES),
      deadlineMs: Date.now() + timeMs,
      allowPartial: true,
      approx: text.startsWith('quantile') ? 0.01 : undefined,
      signal: new AbortController().signal,
      trace: newTraceparent(),
    },
    { registry, domainLabel: DOMAIN_LABEL },
  );
}

/** More than a deadline takes on a machine that has much to do. */
const LATE_MS = 10_000;

interface Setting {
  readonly fault: Fault;
  readonly liar: string;
  readonly text: string;
  readonly tookMs: number;
}

/** What the hub did wrong, given what it answers without the domain at fault. */
function judge(
  outcome: QueryResult | Error,
  without: QueryResult,
  { fault, liar, text, tookMs }: Setting,
): string | undefined {
  if (fault.isSilent === true && tookMs > SILENT_MS + LATE_MS) return `took ${tookMs} ms`;
  if (outcome instanceof Error) {
    // A refusal may be made up; nobody else can know.
    const isKnown = outcome instanceof ComityError && outcome.code !== 'internal';
    return fault.isPlain || !isKnown ? `failed: ${outcome.stack}` : undefined;
  }
  const said = outcome.coverage.domains.find(({ domain }) => domain === liar);
  const isMissing = said !== undefined && ['refused', 'timeout', 'unreachable'].includes(said.status);
  if (fault.isPlain && !isMissing) return `believed it: ${JSON.stringify(said)}`;
  if (!isMissing) return judgeBelieved(outcome, without, liar);
  if (outcome.coverage.complete) return 'says that the answer is complete';
  if (!said.reason) return 'gives no reason';
  if (!outcome.warnings.some((warning) => warning.includes(liar))) return `does not warn: ${outcome.warnings.join()}`;
  for (const one of without.coverage.domains) {
    const now = outcome.coverage.domains.find(({ domain }) => domain === one.domain);
    if (JSON.stringify(now) !== JSON.stringify(one)) return `${one.domain} is said to be ${JSON.stringify(now)}`;
  }
  if (text.includes('coverage(')) return undefined;
  const [wanted, got] = [rowsIn(without), rowsIn(outcome)];
  if (JSON.stringify(wanted) !== JSON.stringify(got)) return `answers ${got.join('\n')}\nwant ${wanted.join('\n')}`;
  const notes = (result: QueryResult): string => JSON.stringify(result.notes);
  return notes(outcome) === notes(without) ? undefined : `says ${notes(outcome)}, want ${notes(without)}`;
}

/** What is believed may have changed what the domain says of itself, and nothing else. */
function judgeBelieved(outcome: QueryResult, without: QueryResult, liar: string): string | undefined {
  const ofOthers = (result: QueryResult): string[] =>
    rowsIn(result).filter((row) => /"domain":"/.test(row) && !row.includes(`"domain":"${liar}"`));
  const isOfRows =
    outcome.plan.fragments.every(({ answer }) => answer === 'vector') && outcome.plan.remainder.kind === 'merged';
  const [wanted, got] = [ofOthers(without), ofOthers(outcome)];
  return isOfRows && JSON.stringify(wanted) !== JSON.stringify(got)
    ? `changed others’ rows: ${got.join('\n')}`
    : undefined;
}

/** Each row as a text, to the bit, in order. */
function rowsIn({ value }: QueryResult): readonly string[] {
  if (value.kind !== 'vector') return [JSON.stringify(value)];
  return value.rows
    .map(({ labels, values, present, histograms }) => {
      const record = Object.fromEntries(labels.flatMap((text, i) => (i % 2 === 0 ? [[text, labels[i + 1]!]] : [])));
      const bits = Array.from(values, (number, step) => (present[step] === 1 ? bitsOf(number) : '')).join(' ');
      return `${JSON.stringify(record)} ${bits} ${histograms === undefined ? '' : JSON.stringify(histograms)}`;
    })
    .sort();
}

function bitsOf(number: number): string {
  return Buffer.from(Float64Array.of(number).buffer).toString('hex');
}

function named(outcome: QueryResult | Error, liar: string): string {
  if (outcome instanceof Error) return outcome instanceof ComityError ? outcome.code : outcome.name;
  const { status, reason = '' } = outcome.coverage.domains.find(({ domain }) => domain === liar)!;
  return `${status}: ${reason}`;
}
