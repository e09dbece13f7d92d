import type { Binary, Call, Expr } from '../promql/ast.ts';
import { aggregate, binary, call, match, number } from './tree.ts';

/**
 * The query whose value is the sum of the absolute terms behind each value of `expr`, asked only where two answers are
 * not equal to 1e-12: `sum(x)` becomes `sum(abs(x))`, `a - b` becomes `|a| + |b|`. Functions carry the magnitude on to
 * first order. Its series have the labels of those of `expr` but for the metric name.
 */
export function termSum(expr: Expr): Expr {
  switch (expr.kind) {
    case 'paren':
    case 'unary':
    case 'once':
      return termSum(expr.expr);
    case 'aggregate': {
      const grouping = { without: expr.without, labels: expr.grouping };
      const inner = termSum(expr.expr);
      if (expr.op === 'sum' || expr.op === 'avg') return aggregate(expr.op, inner, grouping);
      if (expr.op === 'min' || expr.op === 'max') return aggregate('max', inner, grouping);
      if (expr.op === 'topk' || expr.op === 'bottomk') return inner;
      if (expr.op === 'stdvar') return squares(expr.expr, grouping);
      if (expr.op === 'stddev') {
        // An error δ of the variance is one of δ / (2σ) of the deviation, and of at most √δ where σ is nearly 0.
        const terms = squares(expr.expr, grouping);
        const floor = call('sqrt', binary('*', terms, number(16 * 2 ** -52)));
        return join('/', terms, join('+', expr, floor));
      }
      return call('abs', expr);
    }
    case 'binary':
      return binaryTerms(expr);
    case 'call':
      return callTerms(expr);
    case 'number':
      return number(Math.abs(expr.value));
    case 'string':
    case 'vector':
    case 'matrix':
    case 'subquery':
    case 'merged':
      return call('abs', expr);
  }
}

/** n times the mean square, which is the sum of the squares. */
function squares(expr: Expr, grouping: Parameters<typeof aggregate>[2]): Expr {
  return aggregate('sum', binary('^', termSum(expr), number(2)), grouping);
}

/** Between two vectors that have the same labels by construction. */
function join(op: '+' | '/', left: Expr, right: Expr): Expr {
  return match(op, left, right, { card: 'one-to-one', on: false, labels: [], include: [] });
}

function binaryTerms(expr: Binary): Expr {
  const left = termSum(expr.left);
  const right = termSum(expr.right);
  const again = (op: Binary['op'], a: Expr, b: Expr): Expr =>
    expr.matching === undefined ? binary(op, a, b) : match(op, a, b, expr.matching);
  switch (expr.op) {
    case '+':
    case '-':
      return again('+', left, right);
    case '*':
      return again('*', left, right);
    case '/': {
      // The error of 1/b is that of b over b²; |a| is at most its own sum of terms.
      const { right: divisor } = expr;
      if (divisor.kind === 'number') return again('/', left, right);
      const inverse = right.kind === 'number' ? right : join('/', binary('^', divisor, number(2)), right);
      return again('/', left, inverse);
    }
    case '^':
      return again('^', left, expr.right);
    case 'and':
    case 'unless':
    case '%':
      return left;
    case 'or':
      return again('or', left, right);
    case 'atan2':
      return call('abs', expr);
    case '==':
    case '!=':
    case '>':
    case '<':
    case '>=':
    case '<=':
      if (expr.returnBool) return call('abs', expr);
      return expr.left.kind === 'number' ? right : left;
    case '</':
    case '>/':
      return left;
  }
}

function callTerms(expr: Call): Expr {
  const [first, second] = expr.args;
  if (first === undefined) return call('abs', expr);
  switch (expr.func) {
    case 'abs':
    case 'ceil':
    case 'floor':
    case 'round':
    case 'clamp':
    case 'clamp_min':
    case 'clamp_max':
      return termSum(first);
    case 'sqrt':
      return join('/', termSum(first), expr);
    case 'exp':
      return match('*', termSum(first), expr, { card: 'one-to-one', on: false, labels: [], include: [] });
    case 'ln':
    case 'log2':
    case 'log10':
      return join('/', termSum(first), call('abs', first));
    case 'sum_over_time':
    case 'stddev_over_time':
      return join('+', overSamples(first), call('abs', expr));
    case 'avg_over_time':
      return largest(first);
    case 'stdvar_over_time':
      return match('*', overSamples(first), largest(first), { card: 'one-to-one', on: false, labels: [], include: [] });
    case 'quantile_over_time':
      return second === undefined ? call('abs', expr) : largest(second);
    default:
      return call('abs', expr);
  }
}

/** At least the sum of the absolute samples in a window. */
function overSamples(matrix: Expr): Expr {
  const count = call('count_over_time', matrix);
  return match('*', count, largest(matrix), { card: 'one-to-one', on: false, labels: [], include: [] });
}

/** At least the largest absolute sample in a window. */
function largest(matrix: Expr): Expr {
  return join('+', call('abs', call('max_over_time', matrix)), call('abs', call('min_over_time', matrix)));
}
