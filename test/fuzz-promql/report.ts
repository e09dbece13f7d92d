import type { Difference } from './compare.ts';
import type { Options } from './options.ts';
import type { Outcome, WrongCase } from './run.ts';

/** From so many cases on, every construct of the language must have given answers. */
const LONG_RUN_CASES = 5_000;
const ANSWERS_MIN = 20;

export interface Summary {
  readonly seed: number;
  readonly cases: number;
  readonly nonEmpty: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly unsupported: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
  /** Of all answers of a federation, those that were not refused. */
  readonly exact: number;
  /** Queries whose series are all aggregated, which no class but sealed keeps in. */
  readonly eligible: number;
  readonly tolerances: Readonly<Record<string, number>>;
  /** Answers that held something, by construct, the rarest first. */
  readonly constructs: Readonly<Record<string, number>>;
  readonly wrong: number;
  readonly wrongCases: readonly WrongCase[];
  readonly seconds: number;
  readonly mutant?: string;
  /** The command's exit status is 0. For a mutant that means that it survived. */
  readonly passed: boolean;
  /** What kept the run from passing, in words. */
  readonly problems: readonly string[];
}

export function summarize(outcome: Outcome, options: Options): Summary {
  const { asked, wrong } = outcome;
  const unsupported = [...outcome.unsupported.values()].reduce((sum, count) => sum + count, 0);
  const problems: string[] = [];
  if (wrong.length > 0) problems.push(`${wrong.length} wrong answers`);
  if (options.mutant === undefined && unsupported > 0) problems.push(`${unsupported} queries were not supported`);
  const rare = [...outcome.constructs].filter(([, count]) => count < ANSWERS_MIN).map(([name]) => name);
  if (options.mutant === undefined && asked >= LONG_RUN_CASES && rare.length > 0) {
    problems.push(`fewer than ${ANSWERS_MIN} answers with ${rare.join(', ')}`);
  }
  const summary = {
    seed: options.seed,
    cases: asked,
    nonEmpty: outcome.nonEmpty,
    errors: Object.fromEntries(outcome.errors),
    unsupported: Object.fromEntries(outcome.unsupported),
    refused: Object.fromEntries([...outcome.refused].sort(([, a], [, b]) => b - a)),
    exact: asked - wrong.length - unsupported - [...outcome.refused.values()].reduce((sum, count) => sum + count, 0),
    eligible: outcome.eligible,
    tolerances: Object.fromEntries(outcome.tolerances),
    constructs: Object.fromEntries([...outcome.constructs].sort(([, a], [, b]) => a - b)),
    wrong: wrong.length,
    wrongCases: wrong,
    seconds: outcome.seconds,
    passed: problems.length === 0,
    problems,
  };
  return options.mutant === undefined ? summary : { ...summary, mutant: options.mutant };
}

/** The summary for people. */
export function report(summary: Summary, options: Options): string {
  const { cases, seed, mutant, wrongCases } = summary;
  const lines = wrongCases.flatMap((wrong) => describeWrong(wrong, options));
  const counted = (what: string, counts: Readonly<Record<string, number>>): string[] => [
    what,
    ...Object.entries(counts).map(([name, count]) => `${String(count).padStart(8)}  ${name}`),
  ];
  const likes: Record<string, number> = {};
  for (const { likeness } of wrongCases) likes[likeness] = (likes[likeness] ?? 0) + 1;
  lines.push(
    ...counted('answers that held something, by construct:', summary.constructs),
    ...counted('errors on both sides:', summary.errors),
    ...counted('let pass by tolerance:', summary.tolerances),
    ...counted('not supported:', summary.unsupported),
    ...(options.domains === 0 ? [] : counted('refused, by reason:', summary.refused)),
    ...counted('wrong, by likeness:', likes),
    `seed ${seed}: ${cases} cases in ${summary.seconds} s, ${summary.nonEmpty} answers held something, ${summary.wrong} wrong`,
  );
  if (options.domains > 0) lines.push(sharesOf(summary));
  const [first] = wrongCases;
  if (mutant === undefined) lines.push(summary.passed ? 'passed' : `failed: ${summary.problems.join('; ')}`);
  else if (first === undefined) lines.push(`mutant ${mutant} survived ${cases} cases`);
  else lines.push(`mutant ${mutant} was caught by case ${first.number}: ${first.query}`);
  return `${lines.join('\n')}\n`;
}

function sharesOf({ cases, exact, eligible, refused }: Summary): string {
  const share = (part: number): string => `${((100 * part) / Math.max(1, cases)).toFixed(1)} %`;
  const count = Object.values(refused).reduce((sum, one) => sum + one, 0);
  return `${share(exact)} exact, ${share(count)} refused; ${share(eligible)} read nothing but aggregations`;
}

/** Longer parts of answers say no more than their beginnings. */
const SHOWN_MAX = 1_500;

function describeWrong(wrong: WrongCase, { seed, shards, features, domains, class: egressClass }: Options): string[] {
  const { number, target, query, when, difference, shrunk, data } = wrong;
  const again = ['npm run fuzz:promql --', `--seed ${seed}`, `--only ${number}`];
  if (domains > 0) again.push(`--domains ${domains}`, `--class ${egressClass}`);
  if (target !== undefined) again.push(`--target '${target}'`);
  if (shards > 0) again.push(`--shards ${shards}`);
  if (features !== undefined) again.push(`--features ${features}`);
  const lines = [
    `wrong: case ${number}, features: ${wrong.features.join(',') || 'none'}`,
    `  query      ${query}`,
    `             ${when}`,
    ...describeDifference(difference),
  ];
  if (shrunk !== undefined) {
    lines.push(`  shrunk to  ${shrunk.query}`, `             ${shrunk.when}`);
    if (shrunk.difference !== undefined) lines.push(...describeDifference(shrunk.difference));
  }
  if (data !== undefined)
    lines.push('  data, in seconds after its start:', ...data.map((one) => `             ${cut(one)}`));
  lines.push(`  again      ${again.join(' ')}`);
  return lines;
}

function describeDifference({ kind, where, want, got }: Difference): string[] {
  return [`  ${kind.padEnd(10)} ${cut(where)}`, `  prometheus ${cut(want)}`, `  got        ${cut(got)}`];
}

function cut(text: string): string {
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)} …`;
}
