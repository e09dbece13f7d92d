import { ComityError } from '../base/errors.ts';
import type { Plan } from '../plan/distribute.ts';
import { PROPOSED_APPROX } from '../plan/nearest/rewrites.ts';
import type { NearestQuery } from '../plan/nearest/nearest.ts';
import { parseExpr } from '../promql/parse.ts';
import { planQuery, type Query } from './query.ts';
import { hasQuantile, nearestOf, refusalContext, type DomainRefusal } from './refusal.ts';
import type { Federation } from './registry.ts';
import { askVerdicts, refusalsIn } from './verdicts.ts';

/** Rewrites that domains are asked about: each that one refuses tells more of its policy. */
const ROUNDS_MAX = 8;

/**
 * The nearest query that no domain refuses which answers: found from the refusals that are known, shown to the domains, and
 * found anew with what they say of it. Undefined when there is none near, or no domain answers.
 */
export async function verifiedNearest(
  query: Query,
  federation: Federation,
  refusals: readonly DomainRefusal[],
): Promise<NearestQuery | undefined> {
  const { text, expr, approx } = query;
  if (approx === undefined && hasQuantile(expr)) {
    const sketched = { text, approx: PROPOSED_APPROX, widened: [] };
    if ((await refusalsOf(sketched, query, federation))?.length === 0) return sketched;
  }
  let known = refusals;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const nearest = nearestOf(refusalContext(query, federation, known));
    const found = nearest === undefined ? undefined : await refusalsOf(nearest, query, federation);
    if (found === undefined) return undefined;
    if (found.length === 0) return nearest;
    known = [...known, ...found];
  }
  return undefined;
}

/** What domains would refuse of another query; undefined where no domain says anything or it cannot be planned. */
async function refusalsOf(
  asked: NearestQuery,
  query: Query,
  federation: Federation,
): Promise<readonly DomainRefusal[] | undefined> {
  const plan = planOf(asked, query, federation);
  if (plan === undefined) return undefined;
  const verdicts = await askVerdicts(plan, query, federation);
  return verdicts.some(({ answer }) => answer?.ok === true) ? refusalsIn(verdicts, plan) : undefined;
}

function planOf({ text, approx }: NearestQuery, query: Query, federation: Federation): Plan | undefined {
  try {
    return planQuery({ text, expr: parseExpr(text, query.features), grid: query.grid, approx }, federation);
  } catch (error) {
    if (error instanceof ComityError) return undefined;
    throw error;
  }
}
