import type { Options } from './options.ts';
import { describeWhen, type Outcome, type WrongCase } from './run.ts';

const NON_EMPTY_SHARE_MIN = 0.6;
const REFUSED_SHARE_MAX = 0.15;

export interface Summary {
  readonly seed: number;
  readonly cases: number;
  readonly nonEmpty: number;
  readonly errors: number;
  readonly refused: number;
  readonly refusedByReason: Readonly<Record<string, number>>;
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
  const { asked, nonEmpty, wrong } = outcome;
  const refused = [...outcome.refused.values()].reduce((sum, count) => sum + count, 0);
  const problems: string[] = [];
  if (wrong.length > 0) problems.push(`${wrong.length} wrong answers`);
  // A single case or a mutant's run, which stops early, says nothing about shares.
  if (options.mutant === undefined && options.only === undefined) {
    if (nonEmpty < NON_EMPTY_SHARE_MIN * asked)
      problems.push(`fewer than ${share(NON_EMPTY_SHARE_MIN, 1)} are non-empty`);
    if (refused > REFUSED_SHARE_MAX * asked) problems.push(`more than ${share(REFUSED_SHARE_MAX, 1)} were refused`);
  }
  const summary = {
    seed: options.seed,
    cases: asked,
    nonEmpty,
    errors: outcome.errors,
    refused,
    refusedByReason: Object.fromEntries(outcome.refused),
    wrong: wrong.length,
    wrongCases: wrong,
    seconds: outcome.seconds,
    passed: problems.length === 0,
    problems,
  };
  return options.mutant === undefined ? summary : { ...summary, mutant: options.mutant };
}

/** The summary for people. */
export function report(summary: Summary): string {
  const { cases } = summary;
  const lines = summary.wrongCases.flatMap((wrong) => describeWrong(wrong, summary.seed));
  lines.push(
    `seed ${summary.seed}: ${cases} cases in ${summary.seconds} s`,
    `  non-empty  ${summary.nonEmpty} (${share(summary.nonEmpty, cases)})`,
    `  errors     ${summary.errors} on both sides`,
    `  refused    ${summary.refused} (${share(summary.refused, cases)})`,
    ...Object.entries(summary.refusedByReason).map(([reason, count]) => `    ${String(count).padStart(4)}  ${reason}`),
    `  wrong      ${summary.wrong}`,
  );
  lines.push(verdict(summary));
  return `${lines.join('\n')}\n`;
}

function verdict(summary: Summary): string {
  if (summary.mutant === undefined) return summary.passed ? 'passed' : `failed: ${summary.problems.join(', ')}`;
  const [first] = summary.wrongCases;
  return first === undefined
    ? `mutant ${summary.mutant} survived ${summary.cases} cases`
    : `mutant ${summary.mutant} was caught by case ${first.number}: ${first.query}`;
}

function describeWrong(wrong: WrongCase, seed: number): string[] {
  const { difference, shrunk } = wrong;
  return [
    `wrong: seed ${seed}, case ${wrong.number}`,
    `  query      ${wrong.query}`,
    `  when       ${describeWhen(wrong.when)}`,
    `  where      ${difference.where}`,
    `  prometheus ${difference.want}`,
    `  federation ${difference.got}`,
    `  shrunk to  ${shrunk.query}`,
    `             ${describeWhen(shrunk.when)}`,
  ];
}

function share(part: number, whole: number): string {
  return whole === 0 ? 'none' : `${Math.round((100 * part) / whole)} %`;
}
