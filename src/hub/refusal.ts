import { ComityError, type ErrorCode } from '../base/errors.ts';
import type { Fragment } from '../plan/distribute.ts';
import type { Fault, Judge } from '../plan/nearest/fault.ts';
import type { Refusal, RefusalCode } from '../plan/frames/refusal-codec.ts';
import { PROPOSED_APPROX } from '../plan/nearest/rewrites.ts';
import { nearestQuery, nearestText, type NearestQuery } from '../plan/nearest/nearest.ts';
import { preorder } from '../plan/frames/preorder.ts';
import type { PlanReason, PlanRefusal } from '../plan/refusal.ts';
import type { QueryGrid } from '../model/grid.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import { children, type Expr } from '../promql/ast.ts';
import { LISTED_OPERATORS } from '../policy/egress-class.ts';
import { positionOf } from '../promql/parse-error.ts';
import { printExpr } from '../promql/print.ts';
import { knownFrom } from './known-policy.ts';
import type { Federation } from './registry.ts';

/** A domain's refusal of one fragment. */
export interface DomainRefusal {
  readonly domain: string;
  readonly fragment: Fragment;
  readonly refusal: Refusal;
}

/** The query that is refused, as its caller wrote it. */
export interface RefusedQuery {
  readonly text: string;
  readonly expr: Expr;
  readonly grid: QueryGrid;
  /** The relative error that the caller allows `quantile`. */
  readonly approx?: number | undefined;
  /** Parts of PromQL that the caller may use; all when left out. */
  readonly features?: PromqlFeatures | undefined;
}

/** What the words of a refusal are made from. */
export interface RefusalContext {
  readonly query: RefusedQuery;
  readonly domainLabel: string;
  /** The names of all domains. */
  readonly domains: readonly string[];
  /** Every refusal of the query that is known. */
  readonly refusals: readonly DomainRefusal[];
}

export function refusalContext(
  query: RefusedQuery,
  { registry, domainLabel }: Federation,
  refusals: readonly DomainRefusal[],
): RefusalContext {
  return { query, domainLabel, domains: registry.map(({ config }) => config.name), refusals };
}

/** Why a query is not answered, for people, and for programs: `reason` is of a fixed list. */
export class RefusedError extends ComityError {
  readonly reason: RefusalCode | PlanReason;
  /** What works in the place of the query; undefined where nothing near it is known to. */
  readonly nearest: NearestQuery | undefined;
  /** The message without what works. */
  readonly why: string;

  constructor(code: ErrorCode, why: string, hint: string, reason: RefusalCode | PlanReason, nearest?: NearestQuery) {
    super(code, why + hint);
    this.why = why;
    this.reason = reason;
    this.nearest = nearest;
  }
}

/**
 * A domain's refusal in words: what was refused and where it stands in the caller's text, which rule of which domain refused
 * it, and the nearest query that works, as far as all refusals of it tell. The agent sent a code and a name from the fragment;
 * the words are the hub's.
 */
export function explainRefusal({ domain, fragment, refusal }: DomainRefusal, context: RefusalContext): RefusedError {
  const node = nodeOf(fragment.expr, refusal);
  const nearest = nearestOf(context, { code: refusal.code, name: refusal.name, span: node.span, domain });
  const { code, words } = refusalWords(refusal, domain, node);
  const why = `${code}: ${placed(context, node)}: ${words}`;
  return new RefusedError(code, why, hintOf(refusal, nearest, context), refusal.code, nearest);
}

/** The same for what no domain needs to be asked about. */
export function explainPlanRefusal({ node, reason, words }: PlanRefusal, context: RefusalContext): RefusedError {
  const nearest = nearestOf(context, { code: reason, name: '', span: node.span, domain: undefined });
  return new RefusedError('refused', `refused: ${placed(context, node)}: ${words}`, works(nearest), reason, nearest);
}

/** One search serves all refusals of a query. */
const NEAREST = new WeakMap<RefusalContext, { readonly nearest: NearestQuery | undefined }>();

/** The nearest query that works, as far as all refusals in the context tell. */
export function nearestOf(context: RefusalContext, fault?: Fault): NearestQuery | undefined {
  const done = NEAREST.get(context);
  if (done !== undefined) return done.nearest;
  const { query, domainLabel, domains, refusals } = context;
  const known = refusals.map(({ domain, refusal }) => ({ domain, check: knownFrom(refusal) }));
  const check: Judge['check'] = (fragment, asked) => {
    for (const { domain, check: apply } of known) {
      const refusal = domain === asked ? apply(fragment) : undefined;
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  };
  const nearest = nearestQuery(query, fault, { grid: query.grid, domainLabel, domains, check }, query.features);
  NEAREST.set(context, { nearest });
  return nearest;
}

function nodeOf(expr: Expr, { node }: Refusal): Expr {
  return (node === undefined ? undefined : preorder(expr)[node]) ?? expr;
}

function placed({ query }: RefusalContext, node: Expr): string {
  const { line, column } = positionOf(query.text, node.span.start);
  return `${printExpr(node)} (${line}:${column})`;
}

/** What works, in a sentence of its own. */
function works(nearest: NearestQuery | undefined): string {
  return nearest === undefined ? '' : `. ${nearestText(nearest)}`;
}

/** Where no query is known to work, what to do instead. */
function hintOf({ code }: Refusal, nearest: NearestQuery | undefined, { query }: RefusalContext): string {
  if (nearest === undefined) return INSTEAD[code] === undefined ? '' : `. ${INSTEAD[code]}`;
  const kept = code === 'class_aggregate' || code === 'operator_not_permitted';
  const sketched = kept && query.approx === undefined && hasQuantile(query.expr);
  const also = sketched ? `; or the same with approx=${PROPOSED_APPROX}, where the policy lists quantile` : '';
  return `${works(nearest)}${also}`;
}

/** Whether an expression has the aggregation `quantile`. */
export function hasQuantile(expr: Expr): boolean {
  return (expr.kind === 'aggregate' && expr.op === 'quantile') || children(expr).some(hasQuantile);
}

const INSTEAD: Readonly<Partial<Record<RefusalCode, string>>> = {
  class_sealed: 'Leave it out',
  class_protected: 'Leave it out',
  budget: 'Ask again tomorrow (UTC)',
  label_not_permitted: 'GET /api/v1/labels lists the labels that may leave',
  matcher_not_permitted: 'Match on labels that may leave: GET /api/v1/labels lists them',
  undecided: 'Match on more labels',
  limit: 'Narrow its selectors or raise the step',
};

/** Limits that a domain names when it refuses a query by an estimate. */
const SAID_LIMITS: Readonly<Record<string, string>> = {
  seriesPerQuery: 'the limit on series (seriesPerQuery)',
  cellsPerQuery: 'the limit on series x steps (cellsPerQuery)',
  samplesPerQuery: 'the limit on stored samples (samplesPerQuery)',
};

/** Limits of a domain's policy, by its own names for them. */
const POLICY_LIMITS: Readonly<Record<string, string>> = {
  answer_rows: 'rows',
  answer_bytes: 'bytes',
};

function limitWords(name: string, domain: string): string {
  if (name === 'quantile') {
    return `a sketch so fine would show the values themselves, which domain ${domain} does not let out`;
  }
  if (name === 'label_values') {
    return `its answer has more values of one label than domain ${domain} lets out of labels that its policy does not list`;
  }
  const counted = POLICY_LIMITS[name];
  return counted === undefined
    ? `it passes ${SAID_LIMITS[name] ?? 'a limit'} of domain ${domain}`
    : `its answer has more ${counted} than the policy of domain ${domain} lets out at once (${name})`;
}

/** What a policy's state says of it. */
const DENYING_STATES: Readonly<Record<string, string>> = {
  expired: 'has expired',
  unreadable: 'cannot be read',
  'rolled back': 'is older than the one before it',
};

/** The reason with the domain and its rule. */
export function refusalWords(
  { code, name }: Refusal,
  domain: string,
  node: Expr | undefined,
): { code: ErrorCode; words: string } {
  const metric = name === '' ? 'a metric that it could select' : `metric ${name}`;
  switch (code) {
    case 'class_aggregate':
      return refused(
        `${metric} is of class aggregate in domain ${domain}, so its series may not leave, only aggregates of them`,
      );
    case 'class_sealed':
      return refused(
        name === ''
          ? `it could select metrics that domain ${domain} seals; metrics by their exact names tell which`
          : `${metric} is sealed in domain ${domain}: nothing of it leaves`,
      );
    case 'class_protected':
      return refused(
        name === ''
          ? `it could select metrics that domain ${domain} protects, which leave in no form yet`
          : `${metric} is of class protected in domain ${domain}, and leaves in no form yet`,
      );
    case 'policy_denied':
      return refused(`nothing leaves domain ${domain}: its policy ${DENYING_STATES[name] ?? 'is not in force'}`);
    case 'vetoed':
      return refused(`the policy service of domain ${domain} does not allow it, or did not answer`);
    case 'budget':
      return refused(`what domain ${domain} lets out in a day has left today (bytes_per_day)`);
    case 'operator_not_permitted':
      return refused(operatorWords(name, domain));
    case 'label_not_permitted':
      return refused(`label ${name} may not leave domain ${domain}`);
    case 'matcher_not_permitted':
      return refused(`label ${name} cannot be matched on in domain ${domain}`);
    case 'undecided':
      return refused(
        `series on one side of a match are not unique in domain ${domain}, which is an error only if the other ` +
          'side has series in some domain, and its series may not leave to find out',
      );
    case 'unsupported':
      return { code, words: `domain ${domain} cannot evaluate ${name === '' ? 'it' : name}` };
    case 'source_unavailable':
      return { code: 'unavailable', words: `the server that domain ${domain} keeps its series in does not answer` };
    case 'timeout':
      return { code, words: `it ran out of time in domain ${domain}` };
    case 'limit':
      return { code, words: limitWords(name, domain) };
    case 'execution':
      return {
        code,
        words:
          `it cannot be evaluated in domain ${domain}: ${kindOf(node)}series do not match one to one, ` +
          'or dropping the metric name makes two series the same (vector cannot contain metrics with the same labelset)',
      };
  }
}

function operatorWords(name: string, domain: string): string {
  if (!AGGREGATIONS.has(name)) {
    return `domain ${domain} lets groups of several series out alone, and with ${name} below the aggregation they cannot be counted`;
  }
  const shows = REDUCING.has(name) ? '' : ', which would show single series or values';
  return `the policy of domain ${domain} does not list ${name} for what it selects${shows}`;
}

/** Aggregations whose values draw on all of a group. */
const REDUCING: ReadonlySet<string> = new Set(['sum', 'count', 'avg', 'group', 'min', 'max', 'stddev', 'stdvar']);

const AGGREGATIONS: ReadonlySet<string> = new Set([...REDUCING, ...LISTED_OPERATORS]);

function refused(words: string): { code: ErrorCode; words: string } {
  return { code: 'refused', words };
}

/** Of a match it is plain what does not fit. */
function kindOf(node: Expr | undefined): string {
  return node?.kind === 'binary' ? `of the two sides of ${node.op} ` : '';
}
