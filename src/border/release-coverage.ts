import { LIMITS } from '../base/limits.ts';
import type {
  CoverageQuestion,
  CoverageRead,
  CoverageRun,
  CoverageRuns,
  LateKnown,
  LateTold,
} from '../plan/frames/coverage-codec.ts';
import type { Policy } from '../policy/document.ts';
import { isWithheld } from '../policy/egress-class.ts';

/** How complete a domain's data is, as whoever hears its senders knows. */
export interface DomainCoverage {
  /**
   * The streams behind each step, in runs that add up to the steps of the grid. An empty metric is any of them. Times as yet
   * undecided count as observed; what was missing once counts so until late data has come.
   */
  coverage(question: CoverageQuestion, until: Until): Promise<readonly CoverageRun[]>;
  /** What changed behind a watermark that was told; undefined where nobody keeps a record of that. */
  late(known: LateKnown): LateTold | undefined;
}

/** Until when, in ms since the epoch, and for whom a question is answered. */
export interface Until {
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/**
 * The coverage of what a hub asks about. Streams are counted by the names of metrics and never by other labels, so that the
 * counts tell no more than the heartbeat and a metric's name. Those of a metric of which nothing leaves are counted with all
 * others, and so are those of one whose small groups stay: a number of its producers could be one. Whether an answer may lack
 * small groups is said by the policy alone.
 */
export async function releasedCoverage(
  questions: readonly CoverageQuestion[],
  policy: Policy,
  domain: DomainCoverage,
  until: Until,
): Promise<readonly CoverageRuns[]> {
  const mostRuns = Math.floor(LIMITS.coverageRuns / Math.max(1, questions.length));
  const answers: CoverageRuns[] = [];
  for (const { grid, reads } of questions) {
    const known = reads.map((read) => (isCounted(read, policy) ? read : { ...read, metric: '' }));
    const runs = await domain.coverage({ grid, reads: known }, until);
    const suppressible = reads.some((read) => leavesOut(read, policy));
    answers.push({ runs: joinedRuns(runs, mostRuns), suppressible });
  }
  return answers;
}

function isCounted(read: CoverageRead, policy: Policy): boolean {
  return read.metric !== '' && !isWithheld(policy.classOf(read.metric)) && !leavesOut(read, policy);
}

/** Whether groups of what is read may be left out for the few series behind them. */
function leavesOut({ metric }: CoverageRead, policy: Policy): boolean {
  const rules = metric === '' ? policy.rulesBelow('') : [policy.ruleOf(metric)];
  return rules.some((rule) => rule.class === 'aggregate' && rule.minSeries > 1);
}

/** At most so many runs: neighbours become one with the most that any of them expects and the most that any misses. */
export function joinedRuns(runs: readonly CoverageRun[], most: number): readonly CoverageRun[] {
  if (runs.length <= most) return runs;
  const each = Math.ceil(runs.length / most);
  const joined: CoverageRun[] = [];
  for (let at = 0; at < runs.length; at += each) {
    const some = runs.slice(at, at + each);
    const expected = Math.max(...some.map((run) => run.expected));
    const missing = Math.max(...some.map((run) => run.expected - run.observed));
    joined.push({ steps: some.reduce((sum, { steps }) => sum + steps, 0), observed: expected - missing, expected });
  }
  return joined;
}
