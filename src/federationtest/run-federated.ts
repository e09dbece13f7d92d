import { basename } from 'node:path';
import { messageOf } from '../base/errors.ts';
import type { EgressClass } from '../policy/egress-class.ts';
import type { AggregateOp } from '../promql/ast.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import type { Command, Evaluate } from '../promqltest/command.ts';
import type { Difference } from '../promqltest/compare.ts';
import { loadBatch } from '../promqltest/load-batch.ts';
import { assertAskable, modeDifference, modesOf, type Mode } from '../promqltest/modes.ts';
import { RULES_3_14, type Failure, type Rules } from '../promqltest/run-script.ts';
import { failAt, ScriptError } from '../promqltest/script-line.ts';
import { isAnswerable } from './answerable.ts';
import type { Draw } from './draw.ts';
import { judge, judgeSilent, type Verdict } from './judge.ts';
import { isLabelBlind } from './label-blind.ts';
import { askFederation, type Outcome, type Question } from './outcome.ts';
import { namedLabels, withMatcher, wrapSelectors, written, type Asked } from './rewrite.ts';
import type { SplitData } from './split.ts';

/** How the scripts are run. */
export interface FederatedRun {
  readonly data: SplitData;
  readonly draw: Draw;
  readonly egressClass: EgressClass;
  /** Domains that are silent in each evaluation; 0 for none. */
  readonly kill: number;
  readonly rules: Rules;
  readonly features: PromqlFeatures;
  /** Whether each evaluation is asked in one of its modes, drawn at random, rather than in all. Silent domains: always. */
  readonly inOneMode?: boolean | undefined;
}

/**
 * In what form an evaluation is asked: as the script has it, with every selector below an aggregation, or with all selectors
 * for a domain that answers or for one that is silent.
 */
export type Form = 'written' | 'wrapped' | 'pinned to a live domain' | 'pinned to a silent domain';

/** What became of one evaluation in one form. */
export interface FormReport extends Pick<Failure, 'file' | 'line' | 'query' | 'mode'> {
  readonly form: Form;
  readonly outcome: 'exact' | 'partial' | 'refused' | 'wrong';
  /** Of a refusal. */
  readonly reason?: string;
  /** Of a wrong one. */
  readonly difference?: Difference;
  /** Whether the table of what splits says that it is answered exactly. */
  readonly isEligible: boolean;
  /** Whether what the script expects was looked at as well. */
  readonly isExpected: boolean;
}

/** Runs the commands of one script on empty stores and tells what became of each evaluation. Throws `ScriptError`. */
export async function runFederated(
  commands: readonly Command[],
  run: FederatedRun,
  report: (report: FormReport) => void,
): Promise<void> {
  const { data } = run;
  for (const command of commands) {
    switch (command.kind) {
      case 'clear':
        await data.clear();
        break;
      case 'load':
        try {
          await data.append(loadBatch(command));
        } catch (error) {
          if (error instanceof ScriptError) throw error;
          failAt(command.line, 0, messageOf(error), error);
        }
        break;
      case 'evaluate':
        await evaluate(command, run, report);
    }
  }
}

async function evaluate(command: Evaluate, run: FederatedRun, report: (report: FormReport) => void): Promise<void> {
  const { line, query, expr } = command;
  const place = { file: line.file, line: line.number };
  if (expr instanceof ScriptError) {
    const difference = { problem: `the query does not parse: ${expr.problem}` };
    const missed = { mode: '', isEligible: false, isExpected: false } as const;
    report({ ...place, ...missed, query, form: 'written', outcome: 'wrong', difference });
    return;
  }
  for (const form of formsOf(command, { text: query, expr }, run)) {
    const tried = await tryForm(command, form, run);
    report({ ...place, query: form.asked.text, form: form.form, ...tried });
  }
}

/** What choices hang on: not where the script's folder is. */
function placeOf({ line }: Evaluate): readonly [string, number] {
  return [basename(line.file), line.number];
}

interface FormOf {
  readonly form: Form;
  readonly asked: Asked;
  readonly silent: ReadonlySet<number>;
}

function formsOf(command: Evaluate, asked: Asked, run: FederatedRun): readonly FormOf[] {
  const { draw, kill, features, data } = run;
  const what = placeOf(command);
  const bases: FormOf[] = [{ form: 'written', asked, silent: new Set() }];
  if (run.egressClass === 'aggregate') {
    bases.push({ form: 'wrapped', asked: wrapped(command, asked, run), silent: new Set() });
  }
  if (kill === 0) return bases;
  const { domains, domainLabel } = data.federation;
  const silent = draw.some(kill, domains.length, 'silent', ...what);
  const pins = (['pinned to a live domain', 'pinned to a silent domain'] as const).flatMap((form) => {
    const among = domains.filter((_, i) => silent.has(i) === (form === 'pinned to a silent domain'));
    return among.length === 0 ? [] : [{ form, value: draw.pick(among, form, ...what) }];
  });
  return bases.flatMap((base): FormOf[] => [
    { ...base, silent },
    ...pins.map(({ form, value }) => ({
      form,
      silent,
      asked: written(withMatcher(base.asked.expr, { name: domainLabel, op: '=', value }), features),
    })),
  ]);
}

/** `sum` and its like over native histograms are histograms; the others ignore them. */
const WRAPPERS: readonly AggregateOp[] = ['sum', 'avg', 'count', 'group', 'min', 'max', 'stddev', 'stdvar'];
const HISTOGRAM_WRAPPERS: readonly AggregateOp[] = ['sum', 'sum', 'avg', 'avg', 'count', 'group'];

/** The query with its selectors below an aggregation by all label names that there are but one. */
function wrapped(command: Evaluate, { expr }: Asked, { draw, data, features }: FederatedRun): Asked {
  const names = [...new Set([...data.labelNames(), ...namedLabels(expr)])].sort();
  const ops = data.hasHistograms() ? HISTOGRAM_WRAPPERS : WRAPPERS;
  return written(
    wrapSelectors(expr, (n) => {
      const what = [...placeOf(command), n] as const;
      const left = draw.pick(names, 'left out', ...what);
      return { op: draw.pick(ops, 'operator', ...what), grouping: names.filter((name) => name !== left) };
    }),
    features,
  );
}

type Tried = Pick<FormReport, 'mode' | 'outcome' | 'reason' | 'difference' | 'isEligible' | 'isExpected'>;

/** Asks one form in all modes, or in one where domains are silent; the worst outcome counts. */
async function tryForm(command: Evaluate, { form, asked, silent }: FormOf, run: FederatedRun): Promise<Tried> {
  const { data, features, draw, egressClass } = run;
  const { domainLabel } = data.federation;
  const all = modesOf(command, asked.expr).filter(isAskable);
  const isWhole = silent.size === 0 && run.inOneMode !== true;
  const modes = isWhole ? all : [draw.pick(all, 'mode', ...placeOf(command), form)];
  const isEligible = modes.every(({ expr }) => isAnswerable(expr, { domainLabel, egressClass }));
  const isExpected = form === 'written' && silent.size === 0 && isLabelBlind(asked.expr, domainLabel);
  const changes = run.rules === '3.14' ? RULES_3_14 : {};
  let worst: Tried = { mode: '', outcome: 'exact', isEligible, isExpected };
  for (const mode of modes) {
    const question: Question = { ...asked, expr: mode.expr, kind: mode.kind, grid: mode.grid, changes };
    const verdict =
      silent.size === 0 ? await judge(question, data) : await judgeSilent(question, data, silent, features);
    const said = { mode: mode.name, isEligible, isExpected };
    const wrong = (difference: Difference): Tried => ({ ...said, outcome: 'wrong', difference });
    switch (verdict.kind) {
      case 'wrong':
        return wrong(verdict.difference);
      case 'refused':
        if (isEligible && !MAY_REFUSE.has(verdict.reason)) return wrong(refusedDifference(verdict.reason));
        worst = { ...said, outcome: 'refused', reason: verdict.reason };
        break;
      case 'partial':
        if (worst.outcome === 'exact') worst = { ...said, outcome: 'partial' };
        break;
      case 'exact': {
        const missed = isExpected ? await expectationDifference(command, mode, verdict, question, run) : undefined;
        if (missed !== undefined) return wrong(missed);
      }
    }
  }
  return worst;
}

/** Reasons that hang on the data: no rule sees them coming. */
const MAY_REFUSE: ReadonlySet<string> = new Set(['undecided']);

function refusedDifference(reason: string): Difference {
  return { problem: 'refused although it splits', expected: 'an answer', got: `refused: ${reason}` };
}

function isAskable(mode: Mode): boolean {
  try {
    assertAskable(mode);
    return true;
  } catch {
    return false;
  }
}

/** How an answer differs from what the script expects of its series without the domain label. */
async function expectationDifference(
  command: Evaluate,
  mode: Mode,
  { outcome }: Extract<Verdict, { kind: 'exact' }>,
  question: Question,
  { rules, data }: FederatedRun,
): Promise<Difference | undefined> {
  const difference = expected(command, mode, outcome);
  if (difference === undefined || rules !== 'either') return difference;
  const older = await askFederation({ ...question, changes: RULES_3_14 }, data.federation);
  return expected(command, mode, older) && difference;
}

/** Errors are worded by whoever has them, so that there is one is all that counts. */
function expected(command: Evaluate, mode: Mode, outcome: Outcome): Difference | undefined {
  if (outcome.kind === 'answer') return modeDifference(command, mode, outcome);
  return command.expected.kind === 'failure'
    ? undefined
    : { problem: 'the query failed, as the script does not expect', got: outcome.message };
}
