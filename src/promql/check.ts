import { METRIC_NAME } from '../model/labels.ts';
import { matcherTest } from '../model/matcher.ts';
import { children, COMPARISON_OPS, SET_OPS } from './ast.ts';
import type { Aggregate, Binary, Call, Expr, Span, ValueType, VectorSelector } from './ast.ts';
import { AGGREGATES, COVERAGE, signatureOf } from './functions.ts';
import { PromqlError } from './parse-error.ts';

/**
 * The type of a tree, after checking it by Prometheus's rules (`checkAST` of Prometheus 3.15 for the rules, not the
 * words). Throws `PromqlError` for the first ill-typed node; `query` is the text that the spans point into, and
 * without it the position is that of the span in an empty text. Trees deeper than the parser allows must not come here.
 */
export function checkExpr(expr: Expr, query = ''): ValueType {
  switch (expr.kind) {
    case 'number':
    case 'string':
    case 'merged':
      break;
    case 'vector':
      checkSelector(expr, query);
      break;
    case 'matrix':
      checkExpr(expr.selector, query);
      break;
    case 'paren':
    case 'once':
      return checkExpr(expr.expr, query);
    case 'subquery': {
      const type = checkExpr(expr.expr, query);
      if (type !== 'vector') {
        fail(query, expr.span, `subquery is only allowed on instant vector, got ${type} instead`);
      }
      break;
    }
    case 'unary': {
      const type = checkExpr(expr.expr, query);
      if (type !== 'scalar' && type !== 'vector') {
        const allowed = 'unary expression only allowed on expressions of type scalar or instant vector';
        fail(query, expr.span, `${allowed}, got ${JSON.stringify(TYPE_NAMES[type])}`);
      }
      break;
    }
    case 'call':
      checkCall(expr, query);
      break;
    case 'aggregate':
      checkAggregate(expr, query);
      break;
    case 'binary':
      checkBinary(expr, query);
      break;
  }
  return typeOf(expr);
}

/** The type of a tree that is taken to be well-typed. An unknown function has type vector. */
export function typeOf(expr: Expr): ValueType {
  switch (expr.kind) {
    case 'number':
      return 'scalar';
    case 'string':
      return 'string';
    case 'vector':
    case 'aggregate':
    case 'merged':
      return 'vector';
    case 'matrix':
    case 'subquery':
      return 'matrix';
    case 'paren':
    case 'unary':
    case 'once':
      return typeOf(expr.expr);
    case 'call':
      return signatureOf(expr.func)?.returns ?? 'vector';
    case 'binary':
      return typeOf(expr.left) === 'scalar' && typeOf(expr.right) === 'scalar' ? 'scalar' : 'vector';
  }
}

/** What the documentation calls the types. */
const TYPE_NAMES: Readonly<Record<ValueType, string>> = {
  scalar: 'scalar',
  string: 'string',
  vector: 'instant vector',
  matrix: 'range vector',
};

function fail(query: string, span: Span, problem: string): never {
  throw new PromqlError(query, span, problem);
}

function expectType(expr: Expr, wanted: ValueType, context: string, query: string): void {
  const type = checkExpr(expr, query);
  if (type === wanted) return;
  const hint = wanted === 'matrix' && type === 'vector' ? '; add a range such as [5m]' : '';
  fail(query, expr.span, `expected type ${TYPE_NAMES[wanted]} in ${context}, got ${TYPE_NAMES[type]}${hint}`);
}

/** At least one matcher must exclude the empty string, or a slip of the pen would select every series there is. */
function checkSelector({ matchers, span }: VectorSelector, query: string): void {
  if (matchers.some(({ name, op, value }) => name === METRIC_NAME && op === '=' && value !== '')) return;
  if (!matchers.some((matcher) => !matcherTest(matcher)(''))) {
    fail(query, span, 'vector selector must contain at least one non-empty matcher');
  }
}

function checkCall(call: Call, query: string): void {
  const signature = signatureOf(call.func);
  if (signature === undefined) return fail(query, call.span, `unknown function with name ${JSON.stringify(call.func)}`);
  const { args, variadic } = signature;
  const given = call.args.length;
  const least = variadic === 0 ? args.length : args.length - 1;
  const most = variadic < 0 ? Number.POSITIVE_INFINITY : least + variadic;
  if (given < least || given > most) {
    const bound = variadic === 0 ? '' : given < least ? 'at least ' : 'at most ';
    const wanted = given < least ? least : most;
    fail(
      query,
      call.span,
      `expected ${bound}${wanted} argument(s) in call to ${JSON.stringify(call.func)}, got ${given}`,
    );
  }
  const context = `call to function ${JSON.stringify(call.func)}`;
  if (isCoverage(call)) return checkCoverage(call, context, query);
  for (const [index, arg] of call.args.entries()) {
    const wanted = args[Math.min(index, args.length - 1)];
    if (call.func === 'info' && index === 1) checkInfoSelector(arg, query);
    else if (wanted !== undefined) expectType(arg, wanted, context, query);
  }
}

/** Whether a node is a call of `coverage()`. */
export function isCoverage(expr: Expr): expr is Call & { readonly func: typeof COVERAGE } {
  return expr.kind === 'call' && expr.func === COVERAGE;
}

/** The argument says what is read. It is not evaluated, so that there is no coverage of another coverage. */
function checkCoverage({ args }: Call, context: string, query: string): void {
  const arg = args[0]!;
  const type = checkExpr(arg, query);
  if (type !== 'vector' && type !== 'scalar') {
    const hint = arg.kind === 'matrix' || arg.kind === 'subquery' ? '; leave out its range' : '';
    fail(query, arg.span, `expected type instant vector or scalar in ${context}, got ${TYPE_NAMES[type]}${hint}`);
  }
  const inner = coverageIn(arg);
  if (inner !== undefined) fail(query, inner.span, `${context} must not stand inside another: it reads no series`);
}

function coverageIn(expr: Expr): Call | undefined {
  if (isCoverage(expr)) return expr;
  for (const child of children(expr)) {
    const found = coverageIn(child);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * The second argument of `info` says which labels to add: a selector in braces alone, which may be empty too. The tree
 * does not say whether a name stood before the braces, the text does.
 */
function checkInfoSelector(arg: Expr, query: string): void {
  const inner = arg.kind === 'once' ? arg.expr : arg;
  if (inner.kind !== 'vector') fail(query, arg.span, 'expected label selectors only');
  if (query !== '' && query[arg.span.start] !== '{') {
    fail(query, arg.span, 'expected label selectors only, got vector selector instead');
  }
}

function checkAggregate({ op, expr, param, span }: Aggregate, query: string): void {
  expectType(expr, 'vector', 'aggregation expression', query);
  const wanted = AGGREGATES.get(op)?.param;
  if ((wanted === undefined) !== (param === undefined)) {
    fail(query, span, `${op} takes ${wanted === undefined ? 'no parameter' : 'a parameter before the vector'}`);
  }
  if (wanted !== undefined && param !== undefined) expectType(param, wanted, 'aggregation parameter', query);
}

function checkBinary(expr: Binary, query: string): void {
  const { op, left, right, matching, span } = expr;
  const leftType = checkExpr(left, query);
  const rightType = checkExpr(right, query);
  if (expr.returnBool && !COMPARISON_OPS.has(op)) {
    fail(query, operatorSpan(expr, query), 'bool modifier can only be used on comparison operators');
  }
  if (COMPARISON_OPS.has(op) && !expr.returnBool && leftType === 'scalar' && rightType === 'scalar') {
    fail(query, operatorSpan(expr, query), 'comparisons between scalars must use BOOL modifier');
  }
  const included = new Set(matching?.include);
  const twice = matching?.on ? matching.labels.find((label) => included.has(label)) : undefined;
  if (twice !== undefined) {
    const problem = `label ${JSON.stringify(twice)} must not occur in ON and GROUP clause at once`;
    fail(query, operatorSpan(expr, query), problem);
  }
  for (const [side, type] of [
    [left, leftType],
    [right, rightType],
  ] as const) {
    if (type !== 'scalar' && type !== 'vector') {
      fail(query, side.span, 'binary expression must contain only scalar and instant vector types');
    }
  }
  if (leftType === 'scalar' || rightType === 'scalar') {
    if (matching !== undefined && (matching.labels.length > 0 || matching.fill === undefined)) {
      fail(query, span, 'vector matching only allowed between instant vectors');
    }
    if (matching !== undefined) fail(query, span, 'filling in missing series only allowed between instant vectors');
    if (SET_OPS.has(op)) {
      fail(query, span, `set operator ${JSON.stringify(op)} not allowed in binary scalar expression`);
    }
  } else if (SET_OPS.has(op) && matching !== undefined) {
    if (matching.card !== 'many-to-many') fail(query, span, `no grouping allowed for ${JSON.stringify(op)} operation`);
    if (matching.fill !== undefined) fail(query, span, 'filling in missing series not allowed for set operators');
  }
}

/** From the operator to the right side, spaces left out. */
function operatorSpan({ left, right }: Binary, query: string): Span {
  const between = query.slice(left.span.end, right.span.start);
  const start = left.span.end + (between.length - between.trimStart().length);
  return { start, end: Math.max(start, left.span.end + between.trimEnd().length) };
}
