import { randomFrom } from '../random.ts';
import { describeWhen } from './ask.ts';
import type { Difference, Tolerance } from './compare.ts';
import { domainName } from '../../src/federationtest/federation.ts';
import { constructsIn, constructsOf } from './constructs.ts';
import { makeDataset, START_MS, type Dataset } from './dataset.ts';
import { spreadOver } from './domains.ts';
import { generateCase, type Case } from './generator.ts';
import { print } from './grammar.ts';
import { judgeCase, type Verdict } from './judge.ts';
import { learnLanguage, type Language } from './language.ts';
import type { Options } from './options.ts';
import { describeSeries, type Series } from './samples.ts';
import { shrinkData } from './shrink-data.ts';
import { shrinkCase } from './shrink.ts';
import { refusalsOf } from './refusals.ts';
import { startSides, type Sides, type SidesOptions } from './sides.ts';
import { isAggregatedOnly, wrapped } from './wrap.ts';

export interface WrongCase {
  readonly number: number;
  readonly target: string | undefined;
  readonly features: readonly string[];
  readonly query: string;
  readonly when: string;
  readonly difference: Difference;
  /** What cases that are wrong in the same way have in common. */
  readonly likeness: string;
  readonly shrunk?: { readonly query: string; readonly when: string; readonly difference?: Difference };
  /** The series with which it fails still, one text each. */
  readonly data?: readonly string[];
}

export interface Outcome {
  readonly asked: number;
  readonly nonEmpty: number;
  /** Errors that both sides gave, by their types. */
  readonly errors: ReadonlyMap<string, number>;
  readonly unsupported: ReadonlyMap<string, number>;
  /** By reason. */
  readonly refused: ReadonlyMap<string, number>;
  /** Of a federation of metrics of class aggregate: queries that it must answer. */
  readonly eligible: number;
  readonly tolerances: ReadonlyMap<Tolerance, number>;
  /** How often each construct was in a query that both sides answered alike with something. */
  readonly constructs: ReadonlyMap<string, number>;
  readonly wrong: readonly WrongCase[];
  readonly seconds: number;
}

const SYNTAX = ['promql-experimental-functions', 'promql-extended-range-selectors', 'promql-binop-fill-modifiers'];

/**
 * What data sets take turns with. Counters that tell their start come without labels of type and unit: only the oracle's
 * receiver adds those.
 */
const ON: readonly (readonly string[])[] = [
  [...SYNTAX, 'use-start-timestamps'],
  [...SYNTAX, 'type-and-unit-labels', 'promql-delayed-name-removal'],
  [...SYNTAX, 'use-start-timestamps', 'promql-delayed-name-removal'],
  [...SYNTAX, 'type-and-unit-labels'],
];
const OFF: readonly (readonly string[])[] = [[]];

const CASES_PER_DATASET = 150;
const PROGRESS_MS = 5_000;
/** Of answers that are wrong in the same way no more are made smaller, and of all no more with less data. */
const SHRUNK_OF_A_KIND = 2;
const DATA_SHRUNK_MAX = 3;
const WRONG_MAX = 300;
/** A try without an answer counts as this part of an answer, so that what never gives one does not take all tries. */
const TRY = 0.25;

/** Where the streams of random choices of the data sets end and those of the cases begin. */
const CASES_FROM = 1_000_000;

/** Runs the cases, under a mutant up to the first wrong answer. `say` takes lines about progress. */
export async function runFuzz(options: Options, say: (line: string) => void): Promise<Outcome> {
  const started = performance.now();
  const tally = newTally();
  const languages = new Map<readonly string[], Language>();
  const sets = options.features === 'on' ? ON : options.features === 'off' ? OFF : [...ON, ...OFF];
  const mayRefuse = refusalsOf(options.class);
  const first = options.only ?? 0;
  const end = options.only === undefined ? options.cases : options.only + 1;
  let lastSaidMs = started;
  for (let number = first; number < end && !isOver(tally, options);) {
    const index = Math.floor(number / CASES_PER_DATASET);
    const features = sets[index % sets.length]!;
    const data = datasetFor(options, index, features);
    const sides = await startSides(data.series, sidesOptions(options, features));
    try {
      let language = languages.get(features);
      if (language === undefined) languages.set(features, (language = await learnLanguage(sides.oracle)));
      for (const construct of constructsIn(language))
        tally.constructs.set(construct, tally.constructs.get(construct) ?? 0);
      const last = Math.min(end, (index + 1) * CASES_PER_DATASET);
      for (; number < last && !isOver(tally, options); number++) {
        const target = options.only === undefined ? targetOf(number, language, tally) : options.target;
        const given = caseFor(options, number, data, language, target);
        const verdict = await judgeCase(sides, given, mayRefuse);
        count(tally, given, verdict);
        if (options.verbose) say(`${number} ${words(verdict)}: ${print(given.node)} ${describeWhen(given.when)}`);
        if (verdict.kind === 'wrong') {
          const set = { number, target, features, data, options };
          const wrong = await explain(sides, given, verdict.difference, set, tally.wrong);
          tally.wrong.push(wrong);
          say(`wrong: case ${number}, ${wrong.likeness}`);
        }
        if (performance.now() - lastSaidMs > PROGRESS_MS) {
          lastSaidMs = performance.now();
          const seconds = (lastSaidMs - started) / 1000;
          say(`${tally.asked} cases, ${tally.wrong.length} wrong, ${(tally.asked / seconds).toFixed(1)} a second`);
        }
      }
    } finally {
      await sides.close();
    }
  }
  return { ...tally, seconds: Math.round((performance.now() - started) / 100) / 10 };
}

function sidesOptions({ shards, domains, class: egressClass }: Options, features: readonly string[]): SidesOptions {
  return { features, shards, domains, egressClass };
}

function datasetFor({ seed, domains }: Options, index: number, features: readonly string[]): Dataset {
  const random = randomFrom(seed).fork(index);
  const withStarts = !features.includes('type-and-unit-labels');
  const whole = makeDataset(random, withStarts);
  if (domains === 0) return whole;
  const names = Array.from({ length: domains }, (_, i) => domainName(i));
  return spreadOver(names, whole, () => makeDataset(random.fork(COPIES), withStarts), random.fork(SPREAD));
}

const COPIES = 1;
const SPREAD = 2;

/** Metrics of class aggregate leave their domains in aggregations only: so most queries hold them so. */
const WRAPPED = 0.85;

function caseFor(
  { seed, class: egressClass }: Options,
  number: number,
  data: Dataset,
  language: Language,
  target: string | undefined,
): Case {
  const random = randomFrom(seed).fork(CASES_FROM + number);
  const made = generateCase(random, data, language, target);
  const wrap = random.fork(0);
  if (egressClass !== 'aggregate' || !wrap.chance(WRAPPED)) return made;
  return { ...made, node: wrapped(made.node, data, wrap) };
}

interface Tally {
  asked: number;
  nonEmpty: number;
  readonly errors: Map<string, number>;
  readonly unsupported: Map<string, number>;
  readonly refused: Map<string, number>;
  eligible: number;
  readonly tolerances: Map<Tolerance, number>;
  readonly constructs: Map<string, number>;
  /** How often each construct was asked for, whatever came of it. */
  readonly tries: Map<string, number>;
  readonly wrong: WrongCase[];
}

function newTally(): Tally {
  return {
    asked: 0,
    nonEmpty: 0,
    errors: new Map(),
    unsupported: new Map(),
    refused: new Map(),
    eligible: 0,
    tolerances: new Map(),
    constructs: new Map(),
    tries: new Map(),
    wrong: [],
  };
}

function isOver(tally: Tally, { mutant }: Options): boolean {
  return tally.wrong.length >= (mutant === undefined ? WRONG_MAX : 1);
}

/** Every other case is steered to the construct that was seen least, the others go where they like. */
function targetOf(number: number, language: Language, { constructs, tries }: Tally): string | undefined {
  if (number % 2 === 0) return undefined;
  const all = constructsIn(language);
  // From another place in each turn, so that a construct that never gives an answer does not keep the others waiting.
  const from = number % all.length;
  const turned = [...all.slice(from), ...all.slice(0, from)];
  const some = turned.filter((_, i) => i < all.length / 4);
  const seen = (one: string): number => (constructs.get(one) ?? 0) + TRY * (tries.get(one) ?? 0);
  return some.reduce((least, one) => (seen(one) < seen(least) ? one : least));
}

function count(tally: Tally, { node }: Case, verdict: Verdict): void {
  tally.asked++;
  for (const construct of constructsOf(node)) increase(tally.tries, construct);
  if (verdict.kind === 'unsupported') increase(tally.unsupported, verdict.message.replaceAll(/ \(\d+:\d+\)/g, ''));
  if (isAggregatedOnly(node)) tally.eligible++;
  if (verdict.kind === 'refused') increase(tally.refused, verdict.reason);
  if (verdict.kind !== 'equal') return;
  if (verdict.errorType !== undefined) increase(tally.errors, verdict.errorType);
  for (const tolerance of verdict.tolerances) increase(tally.tolerances, tolerance);
  if (verdict.empty) return;
  tally.nonEmpty++;
  for (const construct of constructsOf(node))
    if (tally.constructs.has(construct)) increase(tally.constructs, construct);
}

function increase<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

interface CaseSet {
  readonly number: number;
  readonly target: string | undefined;
  readonly features: readonly string[];
  readonly data: Dataset;
  readonly options: Options;
}

async function explain(
  sides: Sides,
  given: Case,
  difference: Difference,
  set: CaseSet,
  others: readonly WrongCase[],
): Promise<WrongCase> {
  const { number, target, features, data, options } = set;
  const likeness = likenessOf(difference);
  const found = {
    number,
    target,
    features,
    query: print(given.node),
    when: describeWhen(given.when),
    difference,
    likeness,
  };
  if (others.filter((other) => other.likeness === likeness).length >= SHRUNK_OF_A_KIND) return found;
  const mayRefuse = refusalsOf(options.class);
  const isWrong = async (attempt: Case, on: Sides): Promise<boolean> =>
    (await judgeCase(on, attempt, mayRefuse)).kind === 'wrong';
  const small = await shrinkCase(given, (attempt) => isWrong(attempt, sides));
  const verdict = await judgeCase(sides, small, mayRefuse);
  const shrunk = {
    query: print(small.node),
    when: describeWhen(small.when),
    ...(verdict.kind === 'wrong' ? { difference: verdict.difference } : {}),
  };
  // What is not seen again cannot be seen with less data either.
  if (
    verdict.kind !== 'wrong' ||
    options.mutant !== undefined ||
    others.filter((other) => other.data !== undefined).length >= DATA_SHRUNK_MAX
  ) {
    return { ...found, shrunk };
  }
  const fails = async (series: readonly Series[]): Promise<boolean> => {
    const fewer = await startSides(series, sidesOptions(options, features));
    try {
      return await isWrong(small, fewer);
    } finally {
      await fewer.close();
    }
  };
  const likely = data.series.filter(({ labels }) => shrunk.query.includes(labels['__name__'] ?? ''));
  const kept = await shrinkData(data.series, likely, fails);
  return { ...found, shrunk, data: kept.map((one) => describeSeries(one, START_MS)) };
}

/** Both answers without numbers, labels and names: what is left is much the same for the same fault. */
function likenessOf({ kind, want, got }: Difference): string {
  const bare = (text: string): string =>
    text
      .replaceAll(/\{.*\}|"[^"]*"/g, '…')
      .replaceAll(/[-+]?\d[\d.:eTZ+-]*/g, '#')
      .replaceAll(/ for metric name …/g, '')
      .slice(0, 120);
  return `${kind}: ${bare(want)} / ${bare(got)}`;
}

function words(verdict: Verdict): string {
  if (verdict.kind === 'refused') return `refused (${verdict.reason})`;
  if (verdict.kind !== 'equal') return verdict.kind === 'wrong' ? 'WRONG' : 'unsupported';
  return verdict.errorType === undefined
    ? verdict.empty
      ? 'equal, empty'
      : 'equal'
    : `equal errors (${verdict.errorType})`;
}
